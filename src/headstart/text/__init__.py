"""From characters to token ids: tokenizers and vocabularies."""
