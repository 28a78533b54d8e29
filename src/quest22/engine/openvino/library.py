"""The one door to the OpenVINO package.

Importing ``openvino`` loads its conversion tools, and those start a thread that reports usage to
a server. The reporter is an optional package of its own: with its name taken, OpenVINO falls back
to a silent stand-in. So every module of this room takes OpenVINO from here.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None blocks it

import openvino as ov
from openvino import opset13 as ops

__all__ = ["ops", "ov"]
