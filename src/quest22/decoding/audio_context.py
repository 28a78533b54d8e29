"""How many of the encoder's frames a window needs: those with sound, and a margin.

Whisper was trained on windows of 30 s, padded with silence, and the encoder computes them all. Most
of a short clip's silence can be left out: the encoder and every decoding step then cost less. The
idea is whisper.cpp's ``--audio-ctx``. A few clips then loop, which their text shows:
:func:`is_doubtful`.
"""

from __future__ import annotations

import math

from quest22.decoding.alignment import ENCODER_FRAMES_PER_S
from quest22.decoding.fallback import compression_ratio
from quest22.records import FRAMES_PER_S, Window

MARGIN_FRAMES = 320
"""Frames of silence after the sound, 6.4 s: with fewer, a few clips loop."""

MULTIPLE = 64
"""Contexts are rounded up to multiples of this, so that few shapes occur."""

MAX_COMPRESSION_RATIO = 2.0
MAX_TOKENS, MAX_TOKENS_PER_S = 8, 6.5
"""Text above either limit is doubtful. By that the loops showed themselves in 192 recordings of
people, in five languages, with margins of 128 to 384 frames. With timestamps there are as many
tokens again."""


def context_frames(window: Window, all_frames: int) -> int:
    """How many frames (20 ms) to encode and attend to, of ``all_frames``; never less than sound."""
    context = window.decoding.audio_context
    if context == "full":
        return all_frames
    sound = _sound_s(window) * ENCODER_FRAMES_PER_S
    if context == "auto":
        wanted = sound + MARGIN_FRAMES
    else:
        wanted = max(context * ENCODER_FRAMES_PER_S, sound)
    return min(max(math.ceil(wanted / MULTIPLE), 1) * MULTIPLE, all_frames)


def token_limit(window: Window) -> int:
    """How many tokens after the prefix, timestamps included, are not too many for the sound."""
    text = int(MAX_TOKENS + MAX_TOKENS_PER_S * _sound_s(window)) - len(window.decoding.prefix)
    text = max(text, MAX_TOKENS)
    return 2 * text if window.decoding.timestamps else text


def is_doubtful(window: Window, text: str, tokens: int) -> bool:
    """Whether text of so many tokens is too repetitive or too long for the window's sound."""
    return tokens > token_limit(window) or compression_ratio(text.strip()) > MAX_COMPRESSION_RATIO


def _sound_s(window: Window) -> float:
    return max(window.duration_s - window.skip_frames / FRAMES_PER_S, 0.0)
