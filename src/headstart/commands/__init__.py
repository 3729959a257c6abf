"""Commands: each file is one command, named after it, and defines it as its function of that name."""
