"""Every ``quest22 …`` line in the documents is a command, with flags that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from quest22.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/tutorials/*.md")),
    *sorted(ROOT.glob("recipes/*/README.md")),
]
BLOCK = re.compile(r"^ *```(?:bash|sh|console)?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PROSE = re.compile(r"[…·]|\b(?:COMMAND|КОМАНДА)\b")
"""What stands for something else: such a line cannot be run."""
QUEST22 = get_command(app)
ENDS = frozenset({"|", ">", ">>", "<", "2>", "&", "&&", ";"})


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """The arguments of each command in the blocks of a page."""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if "quest22" in line and not PROSE.search(line):
                yield from _in_line(line)


def _in_line(line: str) -> Iterator[tuple[str, ...]]:
    try:
        words = shlex.split(line.strip().removeprefix("$ "), comments=True)
    except ValueError:  # JSON, or output
        return
    starts = [
        at
        for at, word in enumerate(words)
        if word == "quest22" and (at == 0 or words[at - 1] in ENDS or "=" in words[at - 1])
    ]
    for start in starts:
        rest = words[start + 1 :]
        end = next((at for at, word in enumerate(rest) if word in ENDS), len(rest))
        if rest[:end]:
            yield tuple(rest[:end])


def parse(command: Any, name: str, arguments: Sequence[str], parent: Any = None) -> None:
    """Read arguments as the command does, without running it; raises its parser's errors."""
    context = command.make_context(name, list(arguments), parent=parent)
    rest = [*getattr(context, "_protected_args", ()), *context.args]
    if isinstance(command, TyperGroup) and rest:
        found, inner, remaining = command.resolve_command(context, rest)
        parse(inner, str(found), remaining, context)


FOUND = sorted({each for page in PAGES for each in commands(page.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("arguments", FOUND, ids=shlex.join)
def test_a_command_of_the_documents_is_one(arguments: tuple[str, ...]) -> None:
    parse(QUEST22, "quest22", arguments)


def test_they_are_found() -> None:
    text = "```\n$ quest22 demo   # here\ncurl x | quest22 transcribe - > y\nquest22 a … b\n```\n"
    assert list(commands(text)) == [("demo",), ("transcribe", "-")]
    assert len(FOUND) > 90


def test_a_flag_that_is_gone_is_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse(QUEST22, "quest22", ("transcribe", "a.wav", "--no-such-flag"))
