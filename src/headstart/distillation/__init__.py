"""Training a student model from a teacher."""
