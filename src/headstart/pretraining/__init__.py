"""Training an encoder on text without labels."""
