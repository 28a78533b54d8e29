"""Wyoming, which Home Assistant speaks, over TCP."""
