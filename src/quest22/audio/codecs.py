"""Which containers and codecs this installation decodes, for ``quest22 doctor``."""

from __future__ import annotations

from dataclasses import dataclass

WANTED: tuple[tuple[str, str, str], ...] = (
    ("WAV (PCM)", "wav", "pcm_s16le"),
    ("WAV (A-law)", "wav", "pcm_alaw"),
    ("WAV (µ-law)", "wav", "pcm_mulaw"),
    ("FLAC", "flac", "flac"),
    ("Ogg Vorbis", "ogg", "vorbis"),
    ("Ogg Opus", "ogg", "opus"),
    ("MP3", "mp3", "mp3"),
    ("M4A / MP4 (AAC)", "mov", "aac"),
    ("M4A (ALAC)", "mov", "alac"),
    ("WMA", "asf", "wmav2"),
    ("AMR narrow band", "amr", "amrnb"),
    ("AMR wide band", "amr", "amrwb"),
    ("AIFF", "aiff", "pcm_s16be"),
    ("G.722", "g722", "adpcm_g722"),
    ("GSM", "gsm", "gsm"),
    ("WebM / MKV (Opus)", "matroska", "opus"),
    ("AC-3", "ac3", "ac3"),
)
"""What is shown, FFmpeg's name of the container, FFmpeg's name of the codec."""


@dataclass(frozen=True, slots=True)
class Decodable:
    """One kind of file, and whether it can be decoded here."""

    kind: str
    container: str
    codec: str
    available: bool


def decodable() -> list[Decodable]:
    """Every kind of file the product means to read, in the order of ``WANTED``."""
    return [
        Decodable(kind, container, codec, _has_container(container) and _has_codec(codec))
        for kind, container, codec in WANTED
    ]


def _has_container(name: str) -> bool:
    import av

    return any(name in known.split(",") for known in av.formats_available)


def _has_codec(name: str) -> bool:
    import av

    try:
        av.Codec(name, "r")
    except ValueError:
        return False
    return True


def library_versions() -> str:
    """The decoding libraries in one line: PyAV and FFmpeg's codec library."""
    import av

    numbers = ".".join(str(number) for number in av.library_versions["libavcodec"])
    return f"PyAV {av.__version__}, libavcodec {numbers}"
