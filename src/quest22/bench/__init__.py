"""How fast, in how much memory, and where the time goes; side by side with other programs."""
