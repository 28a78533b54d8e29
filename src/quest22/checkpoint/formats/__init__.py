"""The files that weights are stored in."""
