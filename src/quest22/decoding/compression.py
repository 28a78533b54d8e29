"""How repetitive a text is, by how well it compresses."""

from __future__ import annotations

import zlib


def compression_ratio(text: str) -> float:
    """How many times zlib makes a text smaller: high where it repeats (openai/whisper)."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))
