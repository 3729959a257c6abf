"""Folders that models are saved in, written whole or not at all."""
