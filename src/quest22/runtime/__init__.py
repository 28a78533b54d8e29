"""Drives the stages: batches filled from many clips, results in order or as they come."""
