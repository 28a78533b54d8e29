"""The settings of a run: frozen values in groups, one file per group, validated on creation.

Each option is declared once, in its group (:mod:`quest22.settings.option`).
"""

from __future__ import annotations

from quest22.settings.audio import AudioSettings
from quest22.settings.captions import CaptionSettings
from quest22.settings.dataset import ALL_COLUMNS, DatasetSettings
from quest22.settings.decoding import (
    APPEND_PUNCTUATIONS,
    PREPEND_PUNCTUATIONS,
    DecodingSettings,
)
from quest22.settings.engine import EngineSettings
from quest22.settings.hallucination import HallucinationSettings
from quest22.settings.hub import HubSettings
from quest22.settings.live import LiveSettings
from quest22.settings.longform import LongFormName, LongFormSettings
from quest22.settings.memory import (
    MEMORY_BYTES,
    MIN_MEMORY_BYTES,
    SAMPLE_BYTES,
    MemorySettings,
)
from quest22.settings.output import (
    CAPTION_FORMATS,
    FORMATS,
    RUN_FOLDER,
    FailureSettings,
    OnError,
    OutputSettings,
    parse_formats,
)
from quest22.settings.pipeline import PipelineSettings
from quest22.settings.vad import VadMode, VadSettings

__all__ = [
    "ALL_COLUMNS",
    "APPEND_PUNCTUATIONS",
    "CAPTION_FORMATS",
    "FORMATS",
    "MEMORY_BYTES",
    "MIN_MEMORY_BYTES",
    "PREPEND_PUNCTUATIONS",
    "RUN_FOLDER",
    "SAMPLE_BYTES",
    "AudioSettings",
    "CaptionSettings",
    "DatasetSettings",
    "DecodingSettings",
    "EngineSettings",
    "FailureSettings",
    "HallucinationSettings",
    "HubSettings",
    "LiveSettings",
    "LongFormName",
    "LongFormSettings",
    "MemorySettings",
    "OnError",
    "OutputSettings",
    "PipelineSettings",
    "VadMode",
    "VadSettings",
    "parse_formats",
]
