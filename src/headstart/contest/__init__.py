"""Plan, run and evaluate a comparison."""
