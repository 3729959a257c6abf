"""What is to be learned: how rows become tokens and targets, and scores become answers."""
