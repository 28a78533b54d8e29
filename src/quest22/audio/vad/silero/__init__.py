"""Silero VAD: the probability of speech in each frame."""
