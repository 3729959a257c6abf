"""What learns, and when."""
