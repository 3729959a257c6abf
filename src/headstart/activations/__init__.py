"""Running a model without training it, and storing the activations of frozen layers."""
