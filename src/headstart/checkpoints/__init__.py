"""Pretrained models: find, read and write them, with a table of weight names per family."""
