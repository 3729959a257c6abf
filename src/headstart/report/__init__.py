"""Tell a person what came out."""
