"""Output file names derived from clip names. Knows nothing of the files' contents.

``talk.mp3`` becomes ``talk.srt``, as in openai/whisper; folders in a clip's name are recreated
below the output folder. Whatever a clip is called, its files lie in that folder, differ from all
others on every file system, and are none that the program keeps there for itself.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

from quest22.protocols import SinkState
from quest22.settings import FORMATS, RUN_FOLDER
from quest22.sink.file_state import FileState
from quest22.sink.spool import Spool

MAX_PART_BYTES = 180
"""Longest path component in UTF-8. Systems allow 255; a suffix and a number must still fit."""
MAX_STEM_BYTES = 900
"""Longest path below the output folder; of a longer one, the folders become a digest."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069<>:"|?*\\]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
"""Names that Windows reserves, whatever suffix follows."""
_OUTPUT_SUFFIX = re.compile(rf"\.({'|'.join((*FORMATS, 'partial'))})$", re.IGNORECASE)
"""A folder with one of these might have the name of another clip's file."""
_OWN_FOLDER = re.compile(
    rf"{re.escape(RUN_FOLDER)}|{RUN_FOLDER[1:7]}~\d+|shard-\d+-of-\d+", re.IGNORECASE
)
"""The program's own folders, and a short form that Windows gives them."""

_MEDIA_SUFFIX = re.compile(
    r"\.(3g2|3gp|aac|ac3|aif[cf]?|aiff|amr|ape|asf|au|avi|caf|flac|flv|gsm|m2ts|m4[abv]|mk[av]|mov"
    r"|mp[234]|mpe?g|mts|og[agv]|opus|snd|spx|ts|tta|vob|voc|w64|wav|web[am]|wm[av]|wv)$",
    re.IGNORECASE,
)


def safe_stem(name: str) -> str:
    """A relative path without extension that is safe on every system, parts joined by ``/``.

    Parts that lead out of the folder (``..``, a root) are dropped; characters that file systems
    forbid become ``_``, which also marks names that are taken; an empty name becomes ``clip``.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part.strip(". ")]
    if not parts:
        return "clip"
    *folders, last = parts
    folders = [_safe_folder(part) for part in folders]
    if folders and _OWN_FOLDER.fullmatch(folded(folders[0])):
        folders[0] = f"_{folders[0]}"
    stem = "/".join([*folders, _safe_part(_without_extension(last))])
    return stem if len(stem.encode()) <= MAX_STEM_BYTES else _shortened(stem)


def _safe_folder(part: str) -> str:
    part = _safe_part(part)
    return f"{part}_" if _OUTPUT_SUFFIX.search(folded(part)) else part


def _shortened(stem: str) -> str:
    digest = blake2b(stem.encode(), digest_size=10).hexdigest()
    return f"{digest}/{stem.rpartition('/')[2]}"


def folded(stem: str) -> str:
    """What a stem has in common with all that some file system takes for the same."""
    visible = "".join(char for char in stem if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())


def _without_extension(name: str) -> str:
    """Cut media suffixes only, so that keys such as ``speaker.anna`` stay whole."""
    return _MEDIA_SUFFIX.sub("", name) or name


def _safe_part(part: str) -> str:
    clean = _UNSAFE.sub("_", unicodedata.normalize("NFC", part))
    clean = clean.encode("utf-8", "replace").decode("utf-8").replace("?", "_")
    clean = clean.encode("utf-8")[:MAX_PART_BYTES].decode("utf-8", "ignore")
    clean = clean.strip(" ").rstrip(". ") or "clip"
    return f"_{clean}" if _DEVICE.match(clean) else clean


def read_stems(lines: Iterable[str | bytes]) -> Iterator[str]:
    """The folded stems in the lines of a names file that :class:`OutputNames` wrote."""
    for line in lines:
        yield folded(str(json.loads(line)["stem"]))


FileNote: TypeAlias = Sequence[int]
"""A file's size in bytes and its checksum (CRC-32)."""


def read_files(lines: Iterable[str | bytes]) -> Iterator[tuple[str, FileNote]]:
    """The files in the lines of a names file, by their paths below the output folder."""
    for line in lines:
        row = json.loads(line)
        for suffix, note in row.get("files", {}).items():
            yield f"{row.get('as', row['stem'])}.{suffix}", note


def read_paths(lines: Iterable[str | bytes]) -> Iterator[str]:
    """The paths of clips' files without their suffixes, below the output folder, in order."""
    for line in lines:
        row = json.loads(line)
        yield str(row.get("as", row["stem"]))


class OutputNames:
    """Gives every clip its own file name: two ``talk`` become ``talk`` and ``talk-2``.

    Names that differ only in case or in the form of their characters count as equal, as on some
    file systems. Holds the names assigned so far, a few bytes for each clip; a ``names_file``
    stores them across processes.
    """

    def __init__(
        self,
        folder: Path,
        names_file: Path | None = None,
        state: SinkState | None = None,
        reserved: Iterable[str] = (),
    ) -> None:
        """``reserved`` are folded stems that no clip may get."""
        self._folder = folder
        self._stored = Spool(names_file, FileState.of(state)) if names_file else None
        self._counts: dict[str, int] = {}
        earlier = self._stored.rows() if self._stored and state else iter(())
        self._assigned = {folded(str(row["stem"])) for row in earlier} | set(reserved)

    def stem(self, name: str, files: Mapping[str, FileNote] | None = None) -> Path:
        """Assign a clip the path of its files, without suffix. Call once for each clip.

        ``files``, by suffix, are stored with it: see :func:`read_files`.
        """
        base = safe_stem(name)
        stem, count = base, self._counts.get(folded(base), 1)
        while folded(stem) in self._assigned:
            count += 1
            stem = f"{base}-{count}"
        self._counts[folded(base)] = count
        self._assigned.add(folded(stem))
        if self._stored:
            spelt = {} if stem == folded(stem) else {"as": stem}
            told = {"files": dict(files)} if files else {}
            self._stored.append({"stem": folded(stem), **spelt, **told})
        return self._folder / stem

    def publish(self) -> SinkState:
        return self._stored.publish() if self._stored else {}

    def close(self) -> None:
        """Close the names file; no further names are assigned."""
        if self._stored:
            self._stored.close()
