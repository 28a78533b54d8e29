"""Whisper on a CPU through OpenVINO: graphs built directly from a checkpoint's weights.

This file runs before any module of this package imports ``openvino``, whose import starts a thread
that reports usage to a server unless telemetry is disabled.
"""

from __future__ import annotations

from quest22.env import silence_telemetry

silence_telemetry()
