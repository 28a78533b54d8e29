"""How many channels a recording has: each is then transcribed as a recording of its own."""

from __future__ import annotations

from dataclasses import replace

from quest22.audio.decode import MediaDecoder
from quest22.errors import ClipError, TooLongError
from quest22.records import Clip, Origin
from quest22.server.deepgram.parameters import MAX_CHANNELS
from quest22.server.refusal import Refusal
from quest22.server.service import too_long
from quest22.server.upload.growing_file import GrowingFile
from quest22.settings import AudioSettings


def count_channels(file: GrowingFile, settings: AudioSettings, most_s: float) -> int:
    """The channels of a recording that may still be arriving, by its first seconds.

    Raises :class:`Refusal` for unreadable or too long audio, and for too many channels.
    """
    decoder = MediaDecoder(replace(settings, channel="each"))
    clip = Clip("channels", "channels", file.open, Origin("request"), most_s=most_s)
    try:
        first = next(iter(decoder.decode(clip).blocks))
    except ClipError as exc:
        if isinstance(exc, TooLongError):
            raise too_long(most_s) from exc
        raise Refusal("unreadable_audio", exc.reason, parameter="file") from exc
    count = 1 if first.ndim == 1 else first.shape[1]
    if count > MAX_CHANNELS:
        raise Refusal(
            "bad_request",
            f"multichannel: the recording has {count} channels, expected at most {MAX_CHANNELS}",
            parameter="multichannel",
        )
    return count
