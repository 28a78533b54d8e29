"""Whisper on a CPU through OpenVINO: graphs made straight from a checkpoint's weights.

This file runs before any module of this room imports ``openvino``, whose import alone starts a
thread that reports usage to a server, unless it was told not to.
"""

from __future__ import annotations

from quest22.env import silence_telemetry

silence_telemetry()
