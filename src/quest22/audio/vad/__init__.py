"""Voice activity detection: where in a clip somebody speaks."""
