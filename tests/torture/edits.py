"""Outputs that somebody edits between two lives of a run: nothing of theirs may be lost in silence.

Either the run goes on, and ends with the undisturbed run's outputs, while what was added is kept in
a file beside them; or it refuses, and every byte is as the editor left it.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quest22.cli.exits import Exit
from quest22.errors import SinkError
from tests.torture.kills import Outcome, Whole, differences, outputs
from tests.torture.nursery import ended, forked, killed_after
from tests.torture.worker import RunSpec, perform

NOTE = b"a line of my own\n"
CUT = ".cut"


def _longer(content: bytes) -> bytes:
    return content + NOTE


def _shorter(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _other_line_ends(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


def _other_letter(content: bytes) -> bytes:
    at = len(content) // 3
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


EDITS: tuple[Callable[[bytes], bytes], ...] = (_longer, _shorter, _other_line_ends, _other_letter)


@dataclass(frozen=True)
class Edit:
    """One edit of one output; None: the file is removed."""

    path: Path
    content: bytes | None

    @property
    def name(self) -> str:
        return self.path.name

    def make(self) -> None:
        if self.content is None:
            self.path.unlink()
        else:
            self.path.write_bytes(self.content)

    @property
    def untouched(self) -> bool:
        """Whether the file is as the edit left it."""
        if self.content is None:
            return not self.path.exists()
        return self.path.is_file() and self.path.read_bytes() == self.content


def edited_outputs(folder: Path, whole: Whole, edits: int, seed: int = 0) -> Outcome:
    """Kill a run at a random moment, edit one of its outputs, and let it go on."""
    outcome = Outcome("edits between two lives")
    chance = random.Random(seed)
    spec = RunSpec(folder / "data", folder / "edited")
    while outcome.kills < edits:
        killed_after(forked(lambda: perform(spec)), chance.uniform(0.3, 1.0) * whole.seconds)
        edit = _edit(spec.folder, chance)
        if edit is not None:
            outcome.kills += 1
            edit.make()
            code = ended(forked(lambda: _went_on(spec)))
            outcome.runs += 1
            outcome.wrong += _wrong(edit, whole, spec.folder, code)
            outcome.gave_up += code == Exit.NOTHING_DONE
        shutil.rmtree(spec.folder, ignore_errors=True)
    return outcome.tell()


def _went_on(spec: RunSpec) -> int:
    try:
        return perform(spec)
    except SinkError:
        return Exit.NOTHING_DONE


def _edit(folder: Path, chance: random.Random) -> Edit | None:
    """A random edit of a random output that holds something; None: there is none yet."""
    files = [folder / name for name, content in outputs(folder).items() if content]
    if not files:
        return None
    path = chance.choice(files)
    change = chance.choice((*EDITS, None))
    return Edit(path, None if change is None else change(path.read_bytes()))


def _wrong(edit: Edit, whole: Whole, folder: Path, code: int) -> list[str]:
    """What is not as it should be after a run that went on from an edit, or refused to."""
    found = outputs(folder)
    if edit.untouched:  # of a run that was finished already, or refused to go on
        return []
    if code == Exit.NOTHING_DONE:
        return [f"{edit.name}: refused, and changed what was edited"]
    kept = b"".join(content for name, content in found.items() if CUT in name)
    ours = {name: content for name, content in found.items() if CUT not in name}
    own = edit.path.relative_to(folder).as_posix()
    differing = [each for each in differences(whole.files, ours) if not each.startswith(f"{own} ")]
    if edit.path.suffix not in (".jsonl", ".parquet"):
        return differing  # captions are their reader's
    added = edit.content is not None and NOTE in edit.content
    lost = [f"{edit.name}: the added line is lost"] if added and NOTE not in kept else []
    same = edit.path.is_file() and edit.path.read_bytes() == whole.files.get(own)
    return [*differing, *lost, *([] if same else [f"{edit.name}: not as undisturbed"])]
