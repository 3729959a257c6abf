"""Read, audit and split labelled data."""
