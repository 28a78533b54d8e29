"""Encoded media to mono 16 kHz samples, samples to log-mel features, and voice activity."""
