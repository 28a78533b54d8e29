"""How words become captions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from quest22.errors import UsageError
from quest22.settings.forms import COUNT_OR_OFF
from quest22.settings.option import check_at_least, option

PANEL = (
    "Captions in srt, vtt, lrc, ass, tsv and txt (all but --caption-length turn on word timestamps)"
)

CAPTION_LENGTH = 84
"""Two lines of 42, the usual limit of guides for subtitles."""


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """How words become captions.

    Captions of srt and vtt are at most ``caption_length`` long and 7 s on the screen, unless one of
    the other options says how they are laid out; None: they are the model's segments. The others
    are openai/whisper's, all but ``sentences``.
    """

    caption_length: int | None = option(
        CAPTION_LENGTH,
        flags="--caption-length",
        form=COUNT_OR_OFF,
        help="Split captions of [cyan]srt[/] and [cyan]vtt[/] that are longer than this, or than "
        "7 seconds, where the text allows it best, and lay them out in two lines; [cyan]off[/]: "
        "one for each segment, as openai/whisper. Other options of this group take precedence.",
        metavar="N|off",
        unit="characters",
        panel=PANEL,
    )
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
        check_at_least("caption_length", self.caption_length, 2)
        for name in ("max_line_width", "max_line_count", "max_words_per_line"):
            check_at_least(name, getattr(self, name), 1)
        if self.max_line_count is not None and self.max_line_width is None:
            raise UsageError(
                f"max_line_count is {self.max_line_count}, which requires max_line_width: give both"
            )

    @property
    def needs_words(self) -> bool:
        """Whether these captions need word timestamps: an option lays out their words."""
        return replace(self, caption_length=CAPTION_LENGTH) != CaptionSettings()

    @property
    def limit(self) -> int | None:
        """The length to which captions are split, in characters; None: they are not split."""
        return None if self.needs_words else self.caption_length

    @property
    def keeps_segments(self) -> bool:
        """Whether a caption never holds words of two segments (or sentences)."""
        return self.sentences or self.max_line_count is None or self.max_line_width is None
