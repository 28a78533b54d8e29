"""Measures: side by side in one run, figures as ratios where they can be."""
