"""Settings per clip, so that one loaded model can serve different requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from quest22.errors import UsageError
from quest22.settings.decoding import DecodingSettings
from quest22.settings.hallucination import HallucinationSettings
from quest22.settings.live import RECORDINGS_ONLY, LiveSettings
from quest22.settings.longform import LongFormSettings
from quest22.settings.option import Group, take_values
from quest22.settings.vad import VadSettings


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """All settings for transcribing one clip; ``live`` if it is audio that is still spoken."""

    decoding: DecodingSettings = field(default_factory=DecodingSettings)
    longform: LongFormSettings = field(default_factory=LongFormSettings)
    hallucination: HallucinationSettings = field(default_factory=HallucinationSettings)
    vad: VadSettings = field(default_factory=VadSettings)
    live: LiveSettings | None = None


@dataclass(frozen=True, slots=True)
class ClipOptions:
    """Groups of settings for one clip; None: the loaded model's own."""

    decoding: DecodingSettings | None = None
    longform: LongFormSettings | None = None
    hallucination: HallucinationSettings | None = None
    vad: VadSettings | None = None
    live: LiveSettings | None = None

    def applied_to(self, settings: ClipSettings) -> ClipSettings:
        """The clip's settings, given those of the loaded model."""
        return ClipSettings(
            decoding=self.decoding or settings.decoding,
            longform=self.longform or settings.longform,
            hallucination=self.hallucination or settings.hallucination,
            vad=self.vad or settings.vad,
            live=self.live or settings.live,
        )

    @classmethod
    def take(cls, options: dict[str, Any], settings: ClipSettings) -> ClipOptions | None:
        """Make options of those that Python callers write; removes those it knows.

        What is not named is as in ``settings``, those of the loaded model; None if nothing is.
        Sequential long form gives segments with times unless ``timestamps`` is off. Raises
        :class:`quest22.errors.UsageError` for values that cannot be.
        """
        if not options:
            return None
        if options.get("long_form") == "sequential":
            options.setdefault("timestamps", True)

        return cls(
            _changed(settings.decoding, options),
            _changed(settings.longform, options),
            _changed(settings.hallucination, options),
            _changed(settings.vad, options),
        )

    @classmethod
    def take_live(cls, options: dict[str, Any], settings: ClipSettings) -> ClipOptions:
        """The same for a live session. Raises UsageError for options of recordings, too."""
        refuse_recordings_only(options)
        return cls(
            decoding=_changed(settings.decoding, options),
            hallucination=_changed(settings.hallucination, options),
            vad=_changed(settings.vad, options),
            live=_changed(settings.live or LiveSettings(), options),
        )


def refuse_recordings_only(options: Iterable[str]) -> None:
    """Raise :class:`UsageError` for options that mean nothing in a live session."""
    for name in sorted(RECORDINGS_ONLY.keys() & set(options)):
        raise UsageError(
            f"{name} is for recordings, not for live sessions: {RECORDINGS_ONLY[name]}"
        )


def _changed(group: Group, options: dict[str, Any]) -> Group:
    return replace(group, **take_values(type(group), options))
