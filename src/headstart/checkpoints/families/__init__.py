"""The families of checkpoints: how each names its weights and settings; one file is one plugin."""
