"""Whisper's network on a device: windows in, hypotheses out."""
