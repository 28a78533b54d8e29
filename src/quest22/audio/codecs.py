"""Which audio formats this installation decodes, for ``quest22 doctor``."""

from __future__ import annotations

FORMATS: dict[str, tuple[str, str]] = {
    "WAV": ("wav", "pcm_s16le"),
    "A-law": ("wav", "pcm_alaw"),
    "µ-law": ("wav", "pcm_mulaw"),
    "AIFF": ("aiff", "pcm_s16be"),
    "FLAC": ("flac", "flac"),
    "MP3": ("mp3", "mp3"),
    "Ogg-Vorbis": ("ogg", "vorbis"),
    "Ogg-Opus": ("ogg", "opus"),
    "M4A/MP4-AAC": ("mov", "aac"),
    "M4A-ALAC": ("mov", "alac"),
    "WebM/MKV": ("matroska", "opus"),
    "WMA": ("asf", "wmav2"),
    "AMR-NB": ("amr", "amrnb"),
    "AMR-WB": ("amr", "amrwb"),
    "G.722": ("g722", "g722"),
    "GSM": ("gsm", "gsm"),
    "AC-3": ("ac3", "ac3"),
}
"""The common name of a format, and FFmpeg's names of its container and codec."""


def supported_formats() -> list[str]:
    """The formats that can be decoded here."""
    return [name for name, (form, codec) in FORMATS.items() if _reads(form) and _decodes(codec)]


def missing_formats() -> list[str]:
    """The formats that cannot be decoded here, as FFmpeg was built without them."""
    supported = supported_formats()
    return [name for name in FORMATS if name not in supported]


def _reads(container: str) -> bool:
    import av

    return any(container in names.split(",") for names in av.formats_available)


def _decodes(codec: str) -> bool:
    import av

    try:
        av.Codec(codec, "r")
    except ValueError:
        return False
    return True
