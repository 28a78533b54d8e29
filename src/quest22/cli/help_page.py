"""The page of ``--help``: what most people need, by task; ``--help-all`` shows every flag.

Names are never cut: a name that leaves no room for its text beside it stands above it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

HELP_ALL = "--help-all"

MOST_USED = "Most used"

USUAL: dict[str, tuple[str, ...]] = {
    MOST_USED: ("model", "language", "store", "unit", "output", "output_dir", "output_format"),
    "Speech": ("task", "translate", "initial_prompt", "quality", "vad"),
    "Dataset": ("split", "audio_column", "text_column", "take", "num_shards"),
    "Output": ("word_timestamps", "keep_columns", "overwrite", "push_to_hub"),
    "Live": ("microphone", "listen", "pace", "raw_format", "rate", "policy"),
    "Server": ("host", "port", "keys", "max_live", "max_requests", "tls_cert"),
    "Evaluation": ("hypotheses", "references", "normalizer", "by", "worst", "as_json"),
    "Measurement": ("clips", "seconds", "shape", "new_tokens", "measures", "against", "rounds"),
    "Results": ("json_file", "folder"),
    "Messages": ("quiet", "verbose"),
}
"""What ``--help`` shows, by task: parameters of every command, which shows those that it has."""

ONLY_WITH = {"unit": "store"}
LEFT_OUT_WITH = dict.fromkeys(("num_shards", "word_timestamps", "keep_columns"), "hypotheses")
"""Parameters that are usual only in commands with, or without, another one."""

_ARGUMENTS, _OPTIONS, _COMMANDS = "Arguments", "Options", "Commands"
_COMPLETION = frozenset({"install_completion", "show_completion"})
"""Typer's own flags, in whose place there is ``quest22 completion``."""
_NAME_WIDTH = 30
_FEW = 18
"""A command with no more flags than this shows all of them."""
_EXAMPLES = 3
"""How many examples ``--help`` shows; ``--help-all`` has the others."""
_SENTENCE_END = re.compile(r"(?<=\.)\s")
_PARAGRAPH_END = re.compile(r"\n\s*\n")


class HelpPage:
    """What a command's ``--help`` prints, or with ``everything`` its ``--help-all``.

    ``command`` and ``context`` are Typer's. Rich draws it at the width of the terminal.
    """

    def __init__(self, command: Any, context: Any, *, everything: bool) -> None:
        self._context = context
        self._command = command
        parameters = [each for each in command.get_params(context) if not each.hidden]
        self._arguments = [each for each in parameters if each.param_type_name == "argument"]
        self._options = [each for each in parameters if each.param_type_name == "option"]
        self._everything = everything or len(self._options) <= _FEW

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text.assemble(("Usage", "bold"), "  ", self._usage())
        yield ""
        yield Padding(_paragraphs(self._first(self._command.help, 2)), (0, 0, 0, 2))
        yield from self._body(options.max_width)
        if self._command.epilog:
            yield ""
            yield _paragraphs(self._first(self._command.epilog, 1 + _EXAMPLES))

    def _first(self, text: str | None, count: int) -> str:
        """The first paragraphs of a text, or with ``everything`` the whole text."""
        paragraphs = _PARAGRAPH_END.split(text or "")
        return "\n\n".join(paragraphs if self._everything else paragraphs[:count])

    def _body(self, width: int) -> Iterator[RenderableType]:
        for title, members in self._panels():
            yield ""
            yield Text(title, style="bold")
            for each in members:
                yield from self._entry(each, width)
        if not self._everything:
            yield ""
            hidden = len(self._options) - sum(len(shown) for _, shown in self._usual())
            yield Text.from_markup(
                f"[bold]{self._context.command_path} {HELP_ALL}[/] shows {hidden} more flags."
            )

    def _usage(self) -> str:
        usage = str(self._command.get_usage(self._context)).partition(":")[2]
        return (
            re.sub(r"\{(\w+)\}", r"\1", " ".join(usage.split()))
            .replace("[[", "[")
            .replace("]]", "]")
        )

    def _panels(self) -> Iterator[tuple[str, Sequence[Any]]]:
        """Titles and parameters in the order of the page."""
        if self._arguments:
            yield _ARGUMENTS, self._arguments
        if not self._everything:
            yield from self._usual()
            return
        first: Sequence[Any] = ()
        if len(self._options) > _FEW:
            first = dict(self._usual()).get(MOST_USED, ())
        if first:
            yield MOST_USED, first
        panels: dict[str, list[Any]] = {}
        for each in self._options:
            if each not in first:
                panels.setdefault(each.rich_help_panel or _OPTIONS, []).append(each)
        yield from sorted(panels.items(), key=lambda panel: panel[0] == _OPTIONS)

    def _usual(self) -> Iterator[tuple[str, Sequence[Any]]]:
        by_name = {each.name: each for each in self._options}
        for title, names in USUAL.items():
            if shown := [by_name[name] for name in names if _is_usual(name, by_name)]:
                yield title, shown

    def _entry(self, parameter: Any, width: int) -> Iterator[RenderableType]:
        """A flag's names and its text, side by side where there is room."""
        name, text = self._record(parameter)
        beside = width > 2 * _NAME_WIDTH
        indent = _NAME_WIDTH if beside else 6
        row = Table.grid()
        row.add_column(width=indent, style="cyan", no_wrap=True)
        row.add_column(ratio=1)
        fits = beside and len(name) + 4 <= indent
        if not fits:
            yield Text(f"  {name}", style="cyan", overflow="fold")
        row.add_row(Text(f"  {name}" if fits else ""), text)
        yield row

    def _record(self, parameter: Any) -> tuple[str, Text]:
        """A flag's names and its text: whole, with the default, or its first sentence."""
        record, described = parameter.get_help_record(self._context)
        told = parameter.help or ""
        if not self._everything:
            told = _SENTENCE_END.split(told, maxsplit=1)[0].rstrip(".")
        text = Text.from_markup(told)
        if self._everything:
            text.append(described.removeprefix(told).replace("\\[", "["), style="dim")
        return record.partition(" <")[0].strip("[]"), text


def _is_usual(name: str, there: Container[str]) -> bool:
    """Whether a command that has these parameters shows one of :data:`USUAL`."""
    needed = ONLY_WITH.get(name, name)
    return name in there and needed in there and LEFT_OUT_WITH.get(name) not in there


class GroupPage(HelpPage):
    """What ``--help`` of a command with commands of its own prints: these first, a line each."""

    def __init__(self, command: Any, context: Any) -> None:
        super().__init__(command, context, everything=True)
        self._options = [each for each in self._options if each.name not in _COMPLETION]

    def _body(self, width: int) -> Iterator[RenderableType]:
        panels: dict[str, list[tuple[str, Text]]] = {}
        for name, command in self._command.commands.items():
            text = command.short_help or _SENTENCE_END.split(command.help, maxsplit=1)[0]
            row = name, Text.from_markup(" ".join(text.split()).rstrip("."))
            panels.setdefault(command.rich_help_panel or _COMMANDS, []).append(row)
        panels[_OPTIONS] = list(map(self._record, self._options))
        widest = max(len(name) for rows in panels.values() for name, _ in rows)
        for title, rows in panels.items():
            yield ""
            yield Text(title, style="bold")
            table = Table.grid()
            table.add_column(width=widest + 4, style="cyan", no_wrap=True)
            table.add_column(ratio=1)
            for name, text in rows:
                table.add_row(f"  {name}", text)
            yield table


def _paragraphs(text: str) -> Text:
    """Text with Rich markup; lines within a paragraph are joined."""
    paragraphs = (" ".join(each.split()) for each in _PARAGRAPH_END.split(text))
    return Text.from_markup("\n".join(each for each in paragraphs if each))
