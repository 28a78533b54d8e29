"""Output file names derived from clip names. Knows nothing of the files' contents.

``talk.mp3`` becomes ``talk.srt``, as in openai/whisper; folders in a clip's name are recreated
below the output folder. No clip name can lead outside that folder.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from quest22.protocols import SinkState
from quest22.sink.spool import Spool
from quest22.system import WINDOWS

MAX_PART_BYTES = 180
"""Longest path component in UTF-8. Systems allow 255; a suffix and a number must still fit."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
"""Names that Windows reserves, whatever suffix follows."""

_MEDIA_SUFFIX = re.compile(
    r"\.(3g2|3gp|aac|ac3|aif[cf]?|aiff|amr|ape|asf|au|avi|caf|flac|flv|gsm|m2ts|m4[abv]|mk[av]|mov"
    r"|mp[234]|mpe?g|mts|og[agv]|opus|snd|spx|ts|tta|vob|voc|w64|wav|web[am]|wm[av]|wv)$",
    re.IGNORECASE,
)


def safe_stem(name: str) -> str:
    """A relative path without extension that is safe on every system, parts joined by ``/``.

    Parts that lead out of the folder (``..``, a root) are dropped; characters that file systems
    forbid become ``_``; an empty name becomes ``clip``.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part.strip(". ")]
    if not parts:
        return "clip"
    *folders, last = parts
    return "/".join([*(_safe_part(part) for part in folders), _safe_part(_without_extension(last))])


def _without_extension(name: str) -> str:
    """Cut media suffixes only, so that keys such as ``speaker.anna`` stay whole."""
    return _MEDIA_SUFFIX.sub("", name) or name


def _safe_part(part: str) -> str:
    clean = _UNSAFE.sub("_", unicodedata.normalize("NFC", part))
    clean = clean.encode("utf-8", "replace").decode("utf-8").replace("?", "_")
    clean = clean.encode("utf-8")[:MAX_PART_BYTES].decode("utf-8", "ignore")
    clean = clean.strip(" ").rstrip(".") or "clip"
    return _windows_part(clean) if WINDOWS else clean


def _windows_part(part: str) -> str:
    """The same without a trailing space, and not the name of a device such as ``nul.txt``."""
    part = part.rstrip(" .") or "clip"
    return f"_{part}" if _DEVICE.match(part) else part


def read_stems(lines: Iterable[str | bytes]) -> Iterator[str]:
    """The case-folded stems in the lines of a names file that :class:`OutputNames` wrote."""
    for line in lines:
        yield str(json.loads(line)["stem"])


class OutputNames:
    """Gives every clip its own file name: two ``talk`` become ``talk`` and ``talk-2``.

    Names that differ only in case count as equal, because some file systems ignore case. Holds
    the names assigned so far, a few bytes for each clip; a ``names_file`` stores them across
    processes.
    """

    def __init__(
        self,
        folder: Path,
        names_file: Path | None = None,
        state: SinkState | None = None,
        reserved: Iterable[str] = (),
    ) -> None:
        """``reserved`` are case-folded stems that no clip may get."""
        self._folder = folder
        published = int((state or {}).get("bytes", 0))
        self._stored = Spool(names_file, published) if names_file else None
        self._counts: dict[str, int] = {}
        earlier = self._stored.rows() if self._stored and state else iter(())
        self._assigned = {str(row["stem"]) for row in earlier} | set(reserved)

    def stem(self, name: str) -> Path:
        """Assign a clip the path of its files, without suffix. Call once for each clip."""
        base = safe_stem(name)
        stem, count = base, self._counts.get(base.casefold(), 1)
        while stem.casefold() in self._assigned:
            count += 1
            stem = f"{base}-{count}"
        self._counts[base.casefold()] = count
        self._assigned.add(stem.casefold())
        if self._stored:
            self._stored.append({"stem": stem.casefold()})
        return self._folder / stem

    def publish(self) -> SinkState:
        return {"bytes": self._stored.publish() if self._stored else 0}

    def close(self) -> None:
        """Close the names file; no further names are assigned."""
        if self._stored:
            self._stored.close()
