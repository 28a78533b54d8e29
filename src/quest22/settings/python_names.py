"""Errors for Python callers: they name options as Python does, not as the command does.

A message is written once, with the flag to give; ``--restart`` becomes ``restart=True``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from quest22.errors import Quest22Error
from quest22.settings.audio import AudioSettings
from quest22.settings.captions import CaptionSettings
from quest22.settings.dataset import DatasetSettings
from quest22.settings.decoding import DecodingSettings
from quest22.settings.engine import EngineSettings
from quest22.settings.hallucination import HallucinationSettings
from quest22.settings.hub import HubSettings
from quest22.settings.live import LiveSettings
from quest22.settings.longform import LongFormSettings
from quest22.settings.option import Option, options_of
from quest22.settings.output import FailureSettings, OutputSettings
from quest22.settings.pipeline import PipelineSettings
from quest22.settings.vad import VadSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

GROUPS: tuple[type[DataclassInstance], ...] = (
    EngineSettings,
    DecodingSettings,
    LongFormSettings,
    HallucinationSettings,
    VadSettings,
    LiveSettings,
    AudioSettings,
    PipelineSettings,
    DatasetSettings,
    OutputSettings,
    FailureSettings,
    CaptionSettings,
    HubSettings,
)
_FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*)(?: ([a-z0-9]+)\b)?")


@contextmanager
def naming_options() -> Iterator[None]:
    """Let errors of the block, or the decorated function, name the options of Python."""
    try:
        yield
    except Quest22Error as error:
        error.args = tuple(
            in_python(each) if isinstance(each, str) else each for each in error.args
        )
        raise


def in_python(message: str) -> str:
    """A message with the options of Python in place of flags: ``give long_form='sequential'``."""
    return _FLAG.sub(_in_python, message)


def _in_python(match: re.Match[str]) -> str:
    flag, word = match.groups()
    option = _by_flag().get(flag)
    if option is None:
        return match.group()
    rest = "" if word is None else f" {word}"
    if option.annotation is bool:
        return f"{option.name}={not flag.startswith('--no-')}{rest}"
    if word in option.choices:
        return f"{option.name}={word!r}"
    return option.name + rest


@cache
def _by_flag() -> dict[str, Option]:
    return {
        name: option
        for group in GROUPS
        for option in options_of(group)
        for flag in option.flags
        for name in flag.split("/")
    }
