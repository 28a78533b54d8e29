"""Splits a recording into its channels, each a recording of its own."""

from __future__ import annotations

from dataclasses import replace

from quest22.audio.decode import MediaDecoder, is_too_long
from quest22.capture.raw_pcm import RawFormat
from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Clip, Origin
from quest22.server.deepgram.file_headers import wav_header
from quest22.server.deepgram.parameters import MAX_CHANNELS
from quest22.server.refusal import Refusal
from quest22.server.service import too_long
from quest22.server.upload.growing_file import GrowingFile
from quest22.settings import AudioSettings

MONO = RawFormat("f32le", SAMPLE_RATE_HZ, 1)


def split_channels(file: GrowingFile, settings: AudioSettings, most_s: float) -> list[GrowingFile]:
    """Decode a complete recording, each channel into a WAV file that the caller closes.

    Raises :class:`Refusal` for unreadable or too long audio.
    """
    decoder = MediaDecoder(replace(settings, channel="each"))
    clip = Clip("channels", "channels", file.open, Origin("request"), most_s=most_s)
    found: list[GrowingFile] = []
    try:
        for block in decoder.decode(clip).blocks:
            columns = [block] if block.ndim == 1 else list(block.T)
            if not found:
                found = _begun(len(columns))
            for each, samples in zip(found, columns, strict=True):
                each.write(samples.astype("<f4").tobytes())
    except BaseException as exc:
        for each in found:
            each.close()
        if isinstance(exc, ClipError) and is_too_long(exc):
            raise too_long(most_s) from exc
        if isinstance(exc, ClipError):
            raise Refusal("unreadable_audio", exc.reason, parameter="file") from exc
        raise
    for each in found:
        each.finish()
    return found


def _begun(count: int) -> list[GrowingFile]:
    if count > MAX_CHANNELS:
        raise Refusal(
            "bad_request",
            f"multichannel: the recording has {count} channels, expected at most {MAX_CHANNELS}",
            parameter="multichannel",
        )
    found = [GrowingFile() for _ in range(count)]
    for each in found:
        each.write(wav_header(MONO))
    return found
