"""The Transformer we own: it runs on packed batches, in which no token is padding."""
