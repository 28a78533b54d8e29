"""Names of output files, after the clips. Knows nothing of what is written into them.

``talk.mp3`` becomes ``talk.srt``, as openai/whisper names it; folders of a clip's name are kept
below the output folder. Whatever a name holds, the file stays inside that folder.
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
"""Longest part of a path, in UTF-8; systems allow 255, and a suffix and a count must fit."""

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
    refuse become ``_``; an empty rest becomes ``clip``.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part.strip(". ")]
    if not parts:
        return "clip"
    *folders, last = parts
    return "/".join([*(_safe_part(part) for part in folders), _safe_part(_without_extension(last))])


def _without_extension(name: str) -> str:
    """Only what is a medium's suffix is cut, so that keys such as ``speaker.anna`` stay whole."""
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


def remembered(lines: Iterable[str | bytes]) -> Iterator[str]:
    """The stems in lines of :class:`OutputNames`' memory, without regard to case."""
    for line in lines:
        yield str(json.loads(line)["stem"])


class OutputNames:
    """Gives every clip its own file name: two ``talk`` become ``talk`` and ``talk-2``.

    Names that differ only in case count as one, for file systems that do not tell them apart.
    Holds the names given so far, a few bytes a clip; with ``memory``, a file, also from one
    process to the next.
    """

    def __init__(
        self,
        folder: Path,
        memory: Path | None = None,
        kept: SinkState | None = None,
        taken: Iterable[str] = (),
    ) -> None:
        """``taken`` are stems, as :meth:`stem` gives them, that nobody may get."""
        self._folder = folder
        self._memory = Spool(memory, int((kept or {}).get("bytes", 0))) if memory else None
        self._counts: dict[str, int] = {}
        remembered = self._memory.rows() if self._memory and kept else iter(())
        self._given = {str(row["stem"]) for row in remembered} | set(taken)

    def stem(self, name: str) -> Path:
        """The path, without suffix, that a clip's files get. Ask once a clip."""
        wanted = safe_stem(name)
        chosen, count = wanted, self._counts.get(wanted.casefold(), 1)
        while chosen.casefold() in self._given:
            count += 1
            chosen = f"{wanted}-{count}"
        self._counts[wanted.casefold()] = count
        self._given.add(chosen.casefold())
        if self._memory:
            self._memory.append({"stem": chosen.casefold()})
        return self._folder / chosen

    def publish(self) -> SinkState:
        return {"bytes": self._memory.publish() if self._memory else 0}

    def close(self) -> None:
        """No more names will be asked for."""
        if self._memory:
            self._memory.close()
