"""Whisper on a CPU through OpenVINO: graphs made straight from a checkpoint's weights.

Importing ``openvino`` loads its conversion tools, and those start a thread that reports usage to
a server. The reporter is a package of its own: with its name taken, OpenVINO falls back to a
silent stand-in. This file runs before any module of this room imports ``openvino``.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: not found
