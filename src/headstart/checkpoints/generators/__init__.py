"""Checkpoints of models that answer with a text, one family per file: names of weights and settings both ways."""
