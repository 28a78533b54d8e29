"""Describes what a file that cannot be decoded seems to be, from its first bytes."""

from __future__ import annotations

import codecs

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer; fetch the real file with: git lfs pull"),
    (b"<!doctype html", "an HTML page, as a failed download leaves behind"),
    (b"<html", "an HTML page, as a failed download leaves behind"),
    (b"<?xml", "an XML text, as a failed download leaves behind"),
    (b"#extm3u", "a playlist; name the recordings themselves"),
    (b"\x89png", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"gif8", "a GIF image"),
    (b"%pdf", "a PDF document"),
    (b"pk\x03\x04", "a ZIP archive; unpack it first"),
    (b"\x1f\x8b", "gzip-compressed data; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data; unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"\x7felf", "a program"),
    (b"par1", "a Parquet file; stream it as a dataset"),
    (b"riff", "a RIFF (WAV) file whose header cannot be understood"),
    (b"rifx", "a RIFX (WAV) file whose header cannot be understood"),
    (b"rf64", "an RF64 (WAV) file whose header cannot be understood"),
    (b"flac", "a FLAC file whose header cannot be understood"),
    (b"oggs", "an Ogg file whose header cannot be understood"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a WMA (ASF) file whose header cannot be understood"),
    (b"\x1a\x45\xdf\xa3", "a WebM or MKV file whose header cannot be understood"),
    (b"#!amr", "an AMR file whose header cannot be understood"),
    (b"form", "an AIFF file whose header cannot be understood"),
    (b"id3", "an MP3 tag without sound that can be understood"),
)


def describe_bytes(head: bytes) -> str:
    """What the first bytes look like: ``"it looks like an HTML page …"``, or the bytes."""
    start = head.lstrip().lower() if head[:1].isspace() else head.lower()
    for signature, meaning in SIGNATURES:
        if start.startswith(signature):
            return f"it looks like {meaning}"
    if head[4:8] == b"ftyp":
        return "it looks like an MP4 (M4A) file whose header is missing or damaged"
    if not head.strip(b"\0"):
        return "it begins with zeros only"
    text = _text(head)
    if text:
        return f"it looks like text that begins with {text!r}"
    return f"it begins with the bytes {head[:8].hex(' ')}"


def _text(head: bytes) -> str:
    """The beginning of a UTF-8 text in one line; empty if it is no text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(head)  # a last character that is cut off is left out
    except UnicodeDecodeError:
        return ""
    if any(ord(letter) < 0x20 and letter not in "\t\r\n" for letter in text):
        return ""
    return " ".join(text[:60].split())[:40]
