"""The models that compete."""
