"""Oceans of speech into text: stream any audio dataset through any Whisper checkpoint."""

from __future__ import annotations

__version__ = "0.1.0"
