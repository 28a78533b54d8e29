"""How words become captions."""

from __future__ import annotations

from dataclasses import dataclass

from quest22.errors import UsageError
from quest22.settings.option import check_at_least, option

PANEL = "Captions in srt, vtt, tsv and txt (these options turn on word timestamps)"


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """How words become captions; all but ``sentences`` as in openai/whisper."""

    max_line_width: int | None = option(
        None,
        flags="--max-line-width",
        help="Break lines longer than this between words.",
        metavar="N",
        unit="characters",
        unset="no limit",
        panel=PANEL,
    )
    max_line_count: int | None = option(
        None,
        flags="--max-line-count",
        help="Maximum number of lines in a caption; requires [cyan]--max-line-width[/]. Text then "
        "flows across segments.",
        metavar="N",
        unit="lines",
        unset="no limit",
        panel=PANEL,
    )
    max_words_per_line: int | None = option(
        None,
        flags="--max-words-per-line",
        help="Maximum number of words in a caption.",
        metavar="N",
        unit="words",
        unset="no limit",
        panel=PANEL,
    )
    highlight_words: bool = option(
        False, flags="--highlight-words", help="Underline each word as it is spoken.", panel=PANEL
    )
    sentences: bool = option(
        False,
        flags="--sentences",
        help="Begin a new caption with each sentence instead of each segment.",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        for name in ("max_line_width", "max_line_count", "max_words_per_line"):
            check_at_least(name, getattr(self, name), 1)
        if self.max_line_count is not None and self.max_line_width is None:
            raise UsageError(
                f"max_line_count is {self.max_line_count}, which requires max_line_width: give both"
            )

    @property
    def needs_words(self) -> bool:
        """Whether these captions need word timestamps."""
        return self != CaptionSettings()

    @property
    def keeps_segments(self) -> bool:
        """Whether a caption never holds words of two segments (or sentences)."""
        return self.sentences or self.max_line_count is None or self.max_line_width is None
