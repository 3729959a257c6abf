"""A saved model as a server: HTTP, batches that form while the model is busy, limits, and a page to try it."""
