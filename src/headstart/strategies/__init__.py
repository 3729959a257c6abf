"""Fine-tuning strategies: which weights are trained, and when."""
