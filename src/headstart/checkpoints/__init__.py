"""Pretrained models: find them, read and write them, a table of weight names per family."""
