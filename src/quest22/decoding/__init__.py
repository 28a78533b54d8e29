"""Whisper's decoding, independent of any device: prompts, logit rules, searches, word times.

Works on NumPy arrays and records; knows nothing of networks, clips or files.
"""
