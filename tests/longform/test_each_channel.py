"""Channels that are transcribed each for itself, joined to one transcript."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quest22.longform.chunked import ChunkedStrategy
from quest22.longform.each_channel import EachChannelStrategy, joined
from quest22.protocols import LongForm
from quest22.records import (
    DroppedSegment,
    Hypothesis,
    Partial,
    Samples,
    Segment,
    Transcript,
    Window,
    Word,
)
from quest22.settings import DecodingSettings, LongFormSettings
from tests.longform.test_partial import partials
from tests.support.fake_whisper import (
    CLIP,
    NO_HALLUCINATION_FILTER,
    NUMBERS,
    FakeWhisper,
    sound,
)
from tests.support.results import transcript

SHORT = LongFormSettings(chunk_length_s=12.0, stride_s=(2.0, 2.0))
CHUNKED = ChunkedStrategy(
    SHORT, DecodingSettings(timestamps=True), NUMBERS, NO_HALLUCINATION_FILTER
)
STRATEGY = EachChannelStrategy(CHUNKED)


SPAN = 1_000_000
"""Channel c holds numbers from c times this on, so that each sample tells where it is from."""


def channels_of(seconds: Sequence[float]) -> Samples:
    """Sound in as many channels, each of which falls silent after so many seconds."""
    numbers = sound(max(seconds))
    columns = np.stack([numbers + SPAN * channel for channel in range(len(seconds))], axis=1)
    return np.ascontiguousarray(columns, np.float32)


def whisper(channel: int, seconds: float) -> FakeWhisper:
    words = [(at / 2, (at * 7919 + channel) % 900) for at in range(int(seconds * 2))]
    return FakeWhisper(words, seed=channel)


class Whispers:
    """Hears each channel's words in the windows of that channel."""

    def __init__(self, seconds: Sequence[float]) -> None:
        self._models = [whisper(channel, each) for channel, each in enumerate(seconds)]

    def __call__(self, window: Window) -> Hypothesis:
        index, channel = divmod(window.index, len(self._models))
        assert set(window.samples // SPAN) == {channel}
        return self._models[channel](replace(window, index=index))


def run(
    long_form: LongForm, samples: Samples, model: Callable[[Window], Hypothesis], seed: int
) -> tuple[list[Partial], Transcript]:
    told = partials(long_form, samples, model, seed)
    return told, long_form.close()


@settings(max_examples=25, deadline=None)
@example(seconds=[55, 50], seed=1)
@given(seconds=st.lists(st.integers(1, 55), min_size=2, max_size=3), seed=st.integers(0, 999))
def test_each_channel_says_what_it_says_alone(seconds: list[int], seed: int) -> None:
    samples = channels_of(seconds)
    told, whole = run(STRATEGY.open(CLIP), samples, Whispers(seconds), seed)
    for channel, length in enumerate(seconds):
        column = np.ascontiguousarray(samples[:, channel])
        _, alone = run(CHUNKED.open(CLIP), column, whisper(channel, length), seed)
        segments = [each for each in whole.segments if each.channel == channel]
        assert [(each.start_s, each.end_s, each.tokens) for each in segments] == [
            (each.start_s, each.end_s, each.tokens) for each in alone.segments
        ]
    keys = [(each.start_s, each.channel) for each in whole.segments]
    assert keys == sorted(keys)
    assert whole.text == "".join(each.text for each in whole.segments).strip()
    assert whole.duration_s == max(seconds)
    count = 0
    for partial in told:
        assert partial.committed == whole.segments[: len(partial.committed)]
        assert len(partial.committed) >= count
        count = len(partial.committed)
    assert len(seconds) > 2 or min(seconds) < 50 or count


def test_a_mono_recording_is_its_long_forms_alone() -> None:
    samples = sound(40.0)
    told, made = run(STRATEGY.open(CLIP), samples, whisper(0, 40.0), 1)
    assert (told, made) == run(CHUNKED.open(CLIP), samples, whisper(0, 40.0), 1)
    assert {each.channel for each in made.segments} == {None}


def test_windows_of_all_channels_have_numbers_of_their_own() -> None:
    form = STRATEGY.open(CLIP)
    waiting = form.feed(channels_of([60.0, 60.0])) + form.flush()
    assert len(waiting) > 2
    assert len({each.index for each in waiting}) == len(waiting)
    assert len({each.fingerprint for each in waiting}) == len(waiting)


def of(language: str, *segments: Segment, dropped: tuple[DroppedSegment, ...] = ()):
    text = "".join(each.text for each in segments).strip()
    return transcript(text=text, segments=segments, language=language, dropped=dropped)


def test_turns_are_ordered_by_time_with_a_space_between_them() -> None:
    left = of(
        "en",
        Segment(0.0, 1.0, " Hello.", words=(Word(0.0, 1.0, " Hello.", 1.0),)),
        Segment(2.0, 3.0, " Yes."),
    )
    right = of(
        "zh",
        Segment(0.0, 2.0, "你好", words=(Word(0.0, 2.0, "你好", 1.0),)),
        Segment(2.5, 3.0, "再见"),
    )
    both = joined([left, right])
    assert both.text == "Hello. 你好 Yes. 再见"
    assert [each.channel for each in both.segments] == [0, 1, 0, 1]
    assert both.segments[1].words == (Word(0.0, 2.0, " 你好", 1.0),)
    assert both.language == "en"


def test_what_a_channel_left_out_is_told_and_that_it_was_silent() -> None:
    left = of(
        "en", Segment(0.0, 1.0, " Hello."), dropped=(DroppedSegment(2.0, 3.0, "loop", "la la"),)
    )
    both = joined([left, of("en"), of("en")])
    assert both.dropped == (
        DroppedSegment(0.0, 4.5, "no speech", channel=1),
        DroppedSegment(0.0, 4.5, "no speech", channel=2),
        DroppedSegment(2.0, 3.0, "loop", "la la", channel=0),
    )
    assert both.text == "Hello."
