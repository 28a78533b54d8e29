"""Live captions: when text is shown, when it is committed, and when a segment ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from quest22.errors import UsageError
from quest22.records import WINDOW_S
from quest22.settings.option import check_at_least, check_choice, check_positive, option

PolicyName: TypeAlias = Literal["alignatt", "local-agreement", "both"]
PANEL = "Live"

SHORTEST_SEGMENT_S = 1.0
"""In less sound than this, no word is whole."""

LONGEST_PRE_ROLL_MS = 5_000
"""A session keeps so much sound at least."""

RECORDINGS_ONLY = {
    **dict.fromkeys(
        (
            "chunk_length_s",
            "clip_timestamps",
            "hallucination_silence_threshold",
            "long_form",
            "max_initial_timestamp",
            "prefix",
            "quality",
            "stride_length_s",
            "temperature",
        ),
        "leave it out",
    ),
    "timestamps": "events always have times",
    "word_timestamps": "events always have the times of words",
    "vad": "voice activity is always detected",
    "vad_max_speech_duration_s": "give max_segment_s",
    "vad_min_silence_duration_ms": "give endpoint_ms",
    "vad_speech_pad_ms": "leave it out",
}
"""Options of clips, as Python calls them, that mean nothing in a live session; and what to do."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """When text of a live session is shown, committed and final."""

    policy: PolicyName = option(
        "alignatt",
        flags="--policy",
        help="When words are committed: [cyan]alignatt[/], [cyan]local-agreement[/] or "
        "[cyan]both[/]. [cyan]alignatt[/]: when the model attends to audio well before the end; "
        "[cyan]local-agreement[/]: when two steps agree on them; [cyan]both[/]: when both hold.",
        metavar="NAME",
        panel=PANEL,
    )
    step_s: float = option(
        0.5,
        flags="--step-s",
        help="Update the text after this much more audio; sooner where speech begins, later "
        "if the machine is busy.",
        metavar="S",
        unit="s",
        panel=PANEL,
    )
    hold_back_s: float = option(
        0.4,
        flags="--hold-back-s",
        help="Words that end in the last seconds of the audio are not committed.",
        metavar="S",
        unit="s",
        panel=PANEL,
    )
    endpoint_ms: int = option(
        300,
        flags="--endpoint-ms",
        help="Silence of this length ends a segment.",
        metavar="MS",
        unit="ms",
        panel=PANEL,
    )
    sure_endpoint_ms: int | None = option(
        None,
        flags="--sure-endpoint-ms",
        help="Silence of this length ends a segment where its text is certain.",
        metavar="MS",
        unit="ms",
        unset="two thirds of endpoint_ms",
        panel=PANEL,
    )
    unfinished_endpoint_ms: int | None = option(
        None,
        flags="--unfinished-endpoint-ms",
        help="Silence of this length ends a segment whose sentence seems to go on.",
        metavar="MS",
        unit="ms",
        unset="twice endpoint_ms",
        panel=PANEL,
    )
    eager_ms: int = option(
        64,
        flags="--eager-ms",
        help="Silence of this length starts work on the final text, so that it is ready at the "
        "end of the segment.",
        metavar="MS",
        unit="ms",
        panel=PANEL,
    )
    max_segment_s: float = option(
        28.0,
        flags="--max-segment-s",
        help="Speech without a pause is committed and cut after this time, at most 28.",
        metavar="S",
        unit="s",
        panel=PANEL,
    )
    history_h: float = option(
        8.0,
        flags="--history-h",
        help="The transcript at the end of a session has its last hours only, so that memory does "
        "not grow for ever; events and outputs have all.",
        metavar="HOURS",
        unit="h",
        panel=PANEL,
    )
    pre_roll_ms: int = option(
        300,
        help="How much sound before the voice is heard with it: soft beginnings are detected late.",
        unit="ms",
        panel=PANEL,
    )
    voice_events: bool = option(
        False,
        help="Also tell when speech starts and stops, and when a flush is done.",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        check_choice("policy", self.policy, get_args(PolicyName))
        check_positive("step_s", self.step_s)
        check_at_least("hold_back_s", self.hold_back_s, 0)
        check_at_least("eager_ms", self.eager_ms, 0)
        check_at_least("pre_roll_ms", self.pre_roll_ms, 0)
        check_at_least("endpoint_ms", self.endpoint_ms, self.eager_ms)
        check_at_least("sure_endpoint_ms", self.sure_endpoint_ms, self.eager_ms)
        check_at_least("unfinished_endpoint_ms", self.unfinished_endpoint_ms, self.endpoint_ms)
        check_at_least("max_segment_s", self.max_segment_s, SHORTEST_SEGMENT_S)
        check_positive("history_h", self.history_h)
        if self.pre_roll_ms > LONGEST_PRE_ROLL_MS:
            raise UsageError(
                f"pre_roll_ms is {self.pre_roll_ms}, expected at most {LONGEST_PRE_ROLL_MS}"
            )
        if self.sure_endpoint_ms is not None and self.sure_endpoint_ms > self.endpoint_ms:
            raise UsageError(
                f"sure_endpoint_ms is {self.sure_endpoint_ms}, expected at most endpoint_ms, which "
                f"is {self.endpoint_ms}"
            )
        if self.max_segment_s > WINDOW_S - 2:
            raise UsageError(
                f"max_segment_s is {self.max_segment_s:g}, expected at most {WINDOW_S - 2:g}"
            )
