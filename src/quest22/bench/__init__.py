"""Measures speed, memory and where the time goes, side by side with other programs."""
