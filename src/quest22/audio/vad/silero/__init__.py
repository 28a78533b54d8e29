"""Silero VAD: how probable it is that a moment of sound holds speech."""
