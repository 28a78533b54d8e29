"""Chooses the audio track of a recording that has several.

Unless one is asked for, that is the track which its file marks as the default, or the first one
that FFmpeg deems best; never a commentary or a description for the blind if there is another, nor
one that is empty or cannot be decoded.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import Clip
from quest22.settings.languages import track_language

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

logger = logging.getLogger(__name__)

MOST_NAMED = 8
"""Messages name so many tracks at most."""

_SPOKEN_OVER = ("commentary", "description", "descriptive")
"""What the titles of tracks say that are not the recording itself."""


def choose_track(
    container: InputContainer, wanted: str | None, clip: Clip, metrics: Metrics
) -> AudioStream | None:
    """The track with a number, counted from 0, or in a language; None: the file's own choice.

    Tells once if there was a choice that nobody made. None if the file has no audio track. Raises
    :class:`ClipError` if the one that is asked for is not there.
    """
    tracks: list[Any] = list(container.streams.audio)
    if not tracks:
        return None
    best = container.streams.best("audio")
    ranked = sorted(tracks, key=lambda each: _rank(each, best), reverse=True)
    if wanted is None:
        if len(tracks) > 1:
            metrics.count("several_tracks")
            logger.warning(
                "%s: it has %d audio tracks: %s; number %d is transcribed, --audio-track chooses "
                "another",
                clip.name,
                len(tracks),
                _listed(tracks),
                tracks.index(ranked[0]),
            )
        chosen: AudioStream = ranked[0]
        return chosen
    found = [each for each in ranked if _is(each, tracks.index(each), len(tracks), wanted)]
    if not found:
        raise ClipError(
            "audio",
            f"audio track {wanted} was asked for: expected one of the {len(tracks)} in the file, "
            f"by number or language: {_listed(tracks)}",
        )
    track: AudioStream = found[0]
    return track


def _rank(track: Any, best: Any) -> tuple[bool, ...]:
    """The track with the highest rank is taken, of equal ones the first."""
    from av.stream import Disposition

    other = Disposition.comment | Disposition.visual_impaired | Disposition.clean_effects
    title = track.metadata.get("title", "").lower()
    return (
        track.codec_context is not None,
        track.duration != 0,
        not (track.disposition & other or any(word in title for word in _SPOKEN_OVER)),
        bool(track.disposition & Disposition.default),
        best is not None and track.index == best.index,
    )


def _is(track: Any, number: int, count: int, wanted: str) -> bool:
    """Whether this is the track; a lone one that states no language is in any."""
    if wanted.isdecimal():
        return number == int(wanted)
    language = track_language(track.metadata.get("language"))
    return language == track_language(wanted) or (count == 1 and language is None)


def _listed(tracks: Sequence[Any]) -> str:
    """``0 (eng, "Main"), 1 (rus)``."""
    named = [_named(number, track) for number, track in enumerate(tracks[:MOST_NAMED])]
    return ", ".join(named) + (" …" if len(tracks) > MOST_NAMED else "")


def _named(number: int, track: Any) -> str:
    language, title = track.metadata.get("language"), track.metadata.get("title")
    parts = [] if language in (None, "und") else [_plain(language)]
    parts += [f'"{_plain(title)}"'] if title else []
    return f"{number} ({', '.join(parts)})" if parts else str(number)


def _plain(text: str) -> str:
    """A text from a file, in one line and not long."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:40].strip()
