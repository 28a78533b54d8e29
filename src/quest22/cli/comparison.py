"""A sink for the eye: each transcript beside its reference, differences marked."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from quest22.cli.marked_words import compare, marked, shortened
from quest22.evaluation.score import word_errors
from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.settings.languages import language_name


class ShowingSink:
    """Prints what was said and what was heard below a heading, clip by clip."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, result: Transcript | Failure) -> None:
        if not isinstance(result, Transcript):
            return
        self._console.print(heading(result))
        for label, text in side_by_side(result):
            self._console.print(self._line(label, text))

    def publish(self) -> SinkState:
        return {}  # what was shown cannot be taken back

    def close(self) -> None:
        """Nothing is held back."""

    def _line(self, label: str, text: Text) -> RenderableType:
        """On a terminal the text wraps beside its label; in a pipe a line stays a line."""
        if not self._console.is_terminal:
            return Text(f"  {label:6}").append(text)
        line = Table.grid(padding=(0, 1))
        line.add_column(width=7, style="dim", no_wrap=True)
        line.add_column()
        line.add_row(f"  {label}", text)
        return line


def side_by_side(transcript: Transcript) -> list[tuple[str, Text]]:
    """Reference and transcript with a label each; the text alone where there is no reference."""
    if transcript.reference is None:
        return [("heard", Text(transcript.text.strip()))]
    said, heard = marked(shortened(compare(transcript.reference, transcript.text)))
    return [("said", said), ("heard", heard if heard.plain else Text("(nothing)", "red"))]


def heading(transcript: Transcript) -> Text:
    """A mark, the clip's name, its language and length, and how many errors there are."""
    text = Text(transcript.name, style="bold")
    if transcript.language:
        text.append(f" · {language_name(transcript.language).title()}", style="not bold cyan")
    text.append(f" · {transcript.duration_s:.1f} s", style="not bold dim")
    if transcript.reference is None:
        return Text("• ").append(text)
    found = word_errors(transcript.reference, transcript.text)
    if not found.errors:
        return Text("✓ ", style="bold green").append(text)
    errors = "1 error" if found.errors == 1 else f"{found.errors} errors"
    text.append(f" · {errors} in {found.total} words", style="not bold red")
    return Text("✗ ", style="bold red").append(text)
