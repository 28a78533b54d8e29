"""A sink for the eye: each transcript beside its reference, differences marked."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from quest22.checkpoint.languages import language_name
from quest22.cli.differences import compare, marked
from quest22.records import Failure, Transcript
from quest22.score import word_errors


class ShowingSink:
    """Prints two lines a clip, what was said and what was heard, below a heading."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, result: Transcript | Failure) -> None:
        if isinstance(result, Transcript):
            self._console.print(side_by_side(result))

    def close(self) -> None:
        """Nothing is held back."""


def side_by_side(transcript: Transcript) -> Text:
    """Heading, reference and transcript; the text alone where there is no reference."""
    block = heading(transcript)
    if transcript.reference is None:
        return block.append("\n  ").append(transcript.text.strip())
    said, heard = marked(compare(transcript.reference, transcript.text))
    said.stylize("dim")
    block.append("\n  said   ", style="dim").append(said)
    return block.append("\n  heard  ", style="dim").append(heard)


def heading(transcript: Transcript) -> Text:
    """A verdict, the clip's name, its language and length."""
    text = verdict(transcript).append(transcript.name, style="bold")
    if transcript.language:
        text.append(f" · {language_name(transcript.language).title()}", style="cyan")
    return text.append(f" · {transcript.duration_s:.1f} s", style="dim")


def verdict(transcript: Transcript) -> Text:
    """A tick for a perfect transcript, else the number of wrong words."""
    if transcript.reference is None:
        return Text("• ")
    errors = word_errors(transcript.reference, transcript.text).errors
    if not errors:
        return Text("✓ ", style="bold green")
    return Text(f"✗{errors} ", style="bold red")
