"""How many of the encoder's frames a window needs: those with sound, and a margin.

Whisper was trained on windows of 30 s, padded with silence, and the encoder computes them all. Most
of a short clip's silence can be left out: the encoder and every decoding step then cost less. The
idea is whisper.cpp's ``--audio-ctx``.
"""

from __future__ import annotations

import math

from quest22.decoding.alignment import ENCODER_FRAMES_PER_S, MEL_FRAMES_A_FRAME
from quest22.records import Window

MARGIN_FRAMES = 320
"""Frames of silence after the sound, 6.4 s: with fewer, a few clips loop."""

MULTIPLE = 64
"""Contexts are rounded up to multiples of this, so that few shapes occur."""


def context_frames(window: Window, all_frames: int) -> int:
    """How many frames (20 ms) to encode and attend to, of ``all_frames``; never less than sound."""
    context = window.decoding.audio_context
    if context == "full":
        return all_frames
    sound = window.duration_s * ENCODER_FRAMES_PER_S - window.skip_frames / MEL_FRAMES_A_FRAME
    if context == "auto":
        wanted = sound + MARGIN_FRAMES
    else:
        wanted = max(context * ENCODER_FRAMES_PER_S, sound)
    return min(max(math.ceil(wanted / MULTIPLE), 1) * MULTIPLE, all_frames)
