"""Models as folders that predict without Headstart and torch, each with a certificate of how it was checked."""
