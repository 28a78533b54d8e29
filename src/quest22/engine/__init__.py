"""Whisper on a device: the model's logic, and the backends that run it."""
