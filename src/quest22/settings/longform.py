"""How recordings longer than a window are divided."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

from quest22.errors import UsageError
from quest22.records import WINDOW_S
from quest22.settings.forms import NUMBERS, STRIDE
from quest22.settings.option import check_choice, option

LongFormName: TypeAlias = Literal["pauses", "chunked", "sequential"]
QualityName: TypeAlias = Literal["fast", "balanced", "best"]
PANEL = "Long form"


@dataclass(frozen=True, slots=True)
class LongFormSettings:
    """How recordings longer than a window are divided, and how much work goes into each window.

    At pauses, the default: windows do not overlap, and doubtful ones are decoded again. For parity
    with other programs: chunked, as Transformers' pipeline, into windows that overlap by
    ``stride_s`` on each side; sequential, as openai/whisper, where each window begins where the
    timestamps of the last one end.
    """

    chunk_length_s: float = option(
        WINDOW_S,
        flags="--chunk-length-s",
        help="Length of a window in seconds, at most 30.",
        metavar="S",
        unit="s",
        panel=PANEL,
    )
    stride_s: tuple[float, float] = option(
        (5.0, 5.0),
        name="stride_length_s",
        flags="--stride-length-s",
        form=STRIDE,
        help="Chunked: overlap on each side of a window, in seconds; one number, or "
        "[cyan]left,right[/].",
        metavar="S[,S]",
        unit="s",
        panel=PANEL,
    )
    long_form: LongFormName = option(
        "pauses",
        flags="--long-form",
        help="[cyan]pauses[/]: cut at pauses, the most accurate. For parity: [cyan]chunked[/], "
        "overlapping windows, as Transformers; [cyan]sequential[/], one after another by "
        "timestamps, as openai/whisper.",
        metavar="NAME",
        panel=PANEL,
    )
    clip_timestamps: tuple[float, ...] = option(
        (),
        flags="--clip-timestamps",
        form=NUMBERS,
        help="Sequential: transcribe only these spans, in seconds: [cyan]start,end,start,end "
        "…[/]; the last "
        "end may be left out.",
        metavar="S,S",
        unit="s",
        unset="all",
        panel=PANEL,
    )

    quality: QualityName = option(
        "balanced",
        flags="--quality",
        help="How much work a window gets: [cyan]fast balanced best[/]. [cyan]fast[/]: greedy "
        "decoding; [cyan]balanced[/]: beams where that is unsure; [cyan]best[/]: each window in "
        "several ways, and a vote.",
        metavar="NAME",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        left, right = self.stride_s
        if not 0 < self.chunk_length_s <= WINDOW_S:
            raise UsageError(
                f"chunk_length_s is {self.chunk_length_s}: expected more than 0 and up to 30 s, "
                "Whisper's window"
            )
        chunked = self.long_form == "chunked"
        if left < 0 or right < 0 or (chunked and left + right >= self.chunk_length_s):
            raise UsageError(
                f"stride_length_s is {left},{right}: expected 0 or more, and together less than "
                f"the chunk length of {self.chunk_length_s} s"
            )
        check_choice("long_form", self.long_form, get_args(LongFormName))
        check_choice("quality", self.quality, get_args(QualityName))
        if any(time_s < 0 for time_s in self.clip_timestamps):
            raise UsageError(
                f"clip_timestamps are {self.clip_timestamps}: expected seconds, 0 or more"
            )
        if any(after <= before for before, after in pairwise(self.clip_timestamps)):
            raise UsageError(
                f"clip_timestamps are {self.clip_timestamps}: expected increasing values"
            )
