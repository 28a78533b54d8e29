"""Passes uploads to the decoder while they arrive; shared by all protocols."""
