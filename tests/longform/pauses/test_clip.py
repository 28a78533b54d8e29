"""Whole clips: the transcript is in order, and the same however audio and results come."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.errors import ClipError
from quest22.longform.pauses.coverage import RATE_WINDOWS
from quest22.longform.pauses.cutting import Probabilities
from quest22.longform.pauses.language_vote import LanguageVote
from quest22.records import Clip, DroppedSegment, Hypothesis, Origin, Samples, Transcript, Window
from quest22.settings import DecodingSettings, LongFormSettings, VadSettings
from quest22.settings.clip_options import ClipSettings
from quest22.settings.longform import QualityName
from tests.longform.pauses.scripted import Erratic, opened, run, run_in_any_order, speech
from tests.longform.test_partial import check, partials
from tests.support.fake_whisper import make_hypothesis, sound, timestamp_token

SHORT = LongFormSettings(chunk_length_s=5.0, stride_s=(0.0, 0.0))
"""Windows of 4 s, of which a clip has many."""


@st.composite
def settings_of_clips(draw: st.DrawFn) -> ClipSettings:
    decoding = DecodingSettings(
        language=draw(st.sampled_from([None, None, "de"])),
        multilingual=draw(st.sampled_from([None, True])),
        word_timestamps=draw(st.booleans()),
        timestamps=draw(st.booleans()),
        initial_prompt=draw(st.sampled_from([None, "5 6"])),
        prefix=draw(st.sampled_from([None, "7"])),
    )
    quality: QualityName = draw(st.sampled_from(["fast", "balanced", "best"]))
    vad = VadSettings(vad=draw(st.sampled_from([None, "on", "off"])))
    return ClipSettings(decoding, replace(SHORT, quality=quality), vad=vad)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[Probabilities, Samples]:
    """Up to two minutes of speech and pauses by turns, some of them long."""
    lengths_s = draw(st.lists(st.floats(0.05, 12), min_size=1, max_size=12))
    bounds = [sum(lengths_s[:at]) for at in range(len(lengths_s) + 1)]
    spans = list(zip(bounds[::2], bounds[1::2], strict=False))
    return speech(*spans, until_s=bounds[-1]), sound(bounds[-1])


SEEDS = st.integers(0, 9**9)
CLIPS = {"settings": settings_of_clips(), "recording": recordings(), "seed": SEEDS}


def check_transcript(transcript: Transcript, recording: tuple[Probabilities, Samples]) -> None:
    segments, duration_s = transcript.segments, len(recording[1]) / 16_000
    assert transcript.duration_s == duration_s
    assert "".join(each.text for each in segments).strip() == transcript.text
    assert all(0 <= each.start_s <= each.end_s <= duration_s for each in segments)
    assert all(before.end_s <= after.start_s for before, after in pairwise(segments))
    assert all(each.text.strip() for each in segments)
    for each in segments:
        times = [time_s for word in each.words or () for time_s in (word.start_s, word.end_s)]
        assert [each.start_s, *times, each.end_s] == sorted([each.start_s, *times, each.end_s])
        assert each.words is None or "".join(word.text for word in each.words) == each.text
    starts = [each.start_s for each in transcript.dropped]
    assert starts == sorted(starts)


@settings(max_examples=60)
@given(**CLIPS)
def test_segments_are_in_order_within_the_clip_and_make_its_text(
    settings: ClipSettings, recording: tuple[Probabilities, Samples], seed: int
) -> None:
    told, samples = recording
    windows, transcript = run(opened(told, settings), samples, Erratic(seed))
    check_transcript(transcript, recording)
    assert all(0 < each.duration_s <= 5.0 for each in windows)
    assert [each.index for each in windows] == list(range(len(windows)))


@settings(max_examples=60)
@given(**CLIPS)
def test_the_transcript_is_the_same_in_any_order_of_results_and_blocks(
    settings: ClipSettings, recording: tuple[Probabilities, Samples], seed: int
) -> None:
    told, samples = recording
    model = Erratic(seed)
    _, expected = run(opened(told, settings), samples, model)
    for at in range(3):
        long_form, chance = opened(told, settings), random.Random(seed + at)
        assert run_in_any_order(long_form, samples, model, chance) == expected


@settings(max_examples=60)
@given(**CLIPS)
def test_words_change_no_text(
    settings: ClipSettings, recording: tuple[Probabilities, Samples], seed: int
) -> None:
    told, samples = recording
    texts = [
        run(
            opened(
                told, replace(settings, decoding=replace(settings.decoding, word_timestamps=words))
            ),
            samples,
            Erratic(seed),
        )[1].text
        for words in (False, True)
    ]
    assert texts[0] == texts[1]


@settings(max_examples=60)
@given(**CLIPS, languages=st.sampled_from([("en",), ("en", "de")]))
def test_a_language_that_is_known_early_is_that_of_the_whole_vote(
    settings: ClipSettings,
    recording: tuple[Probabilities, Samples],
    seed: int,
    languages: tuple[str, ...],
) -> None:
    told, samples = recording
    model = Erratic(seed, languages=languages)
    _, transcript = run(opened(told, settings), samples, model)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LanguageVote, "is_settled", lambda *_: False)
        assert run(opened(told, settings), samples, model)[1] == transcript


def in_sentences(window: Window) -> Hypothesis:
    """Hears a word each half second, and eight of them as a sentence."""
    halves = window.samples[4_000::8_000] // 8_000
    told: list[int] = []
    for at in range(0, len(halves), 8):
        sentence = [WORDS[int(half)] for half in halves[at : at + 8]]
        told += [timestamp_token(at / 2), *sentence, timestamp_token((at + len(sentence)) / 2)]
    return make_hypothesis(*told, language=window.decoding.language or "en")


SPANS = [(at * 5.0, at * 5.0 + 3.5) for at in range(40)]
"""A recording of 200 s, in windows of 14 to 25 s."""


@pytest.mark.parametrize(
    ("language", "is_multilingual", "audio_s", "heard"),
    [
        ("en", True, 199, 2),
        (None, False, 199, 2),
        (None, True, 160, None),
        (None, True, 199, 5),
    ],
    ids=["given", "the only one", "not known yet", "known"],
)
def test_text_stays_as_soon_as_the_language_is_known(
    language: str | None, is_multilingual: bool, audio_s: int, heard: int | None
) -> None:
    """After ``heard`` windows of so much audio; None: not after all of them.

    The first window has too few sentences to tell the usual rate of text.
    """
    told, samples = speech(*SPANS, until_s=200), sound(audio_s)
    long_form = opened(
        told, ClipSettings(DecodingSettings(language)), is_multilingual=is_multilingual
    )
    windows, committed = long_form.feed(samples), list[int]()
    for number, window in enumerate(windows, start=1):
        assert not long_form.add_result(window, in_sentences(window))
        committed += [number] if long_form.partial().committed else []
    assert (committed or [None])[0] == heard


@settings(max_examples=40)
@given(**CLIPS)
def test_what_is_committed_stays(
    settings: ClipSettings, recording: tuple[Probabilities, Samples], seed: int
) -> None:
    told, samples = recording
    long_form = opened(told, settings)
    check(partials(long_form, samples, Erratic(seed), seed), long_form.close())


WORDS = [half * 487 % 800 for half in range(800)]
"""Of each half second of a clip; in order, numbers would pass for a loop."""


def every_half_second(window: Window) -> Hypothesis:
    """Hears the word of each half second of the clip, at its time; makes no mistakes."""
    halves = window.samples[4_000::8_000] // 8_000
    told: list[int] = []
    for at, half in enumerate(halves):
        told += [timestamp_token(at / 2), WORDS[int(half)], timestamp_token(at / 2 + 0.5)]
    tokens = told if window.decoding.timestamps else [each for each in told if each < 900]
    return make_hypothesis(*tokens, language=window.decoding.language or "en")


def test_nothing_is_lost_or_said_twice() -> None:
    spoken = [(5, 21.5), (22, 70), (90, 91), (100, 175)]
    told, samples = speech(*spoken, until_s=180), sound(180)
    windows, transcript = run(opened(told), samples, every_half_second)
    halves = [WORDS.index(int(word)) for word in transcript.text.split()]
    assert halves == sorted(set(halves))
    expected = {half for start, end in spoken for half in range(int(start * 2), int(end * 2))}
    assert set(halves) >= expected
    assert len(windows) >= 6
    long = [each for each in transcript.dropped if each.end_s - each.start_s > 2]
    bounds = [time_s for each in long for time_s in (each.start_s, each.end_s)]
    assert bounds == pytest.approx([0, 4.5, 70.5, 89.5, 91.5, 99.5, 175.5, 180], abs=0.05)
    assert {each.reason for each in long} == {"no speech"}


def test_silence_only() -> None:
    clip = Clip("k", "n", b"", Origin("d", row=4), reference="one", columns={"speaker": 7})
    decoding = DecodingSettings(language="ru")
    long_form = opened(speech(until_s=50), ClipSettings(decoding), clip)
    windows, transcript = run(long_form, sound(50), every_half_second)
    assert windows == []
    assert (transcript.text, transcript.segments, transcript.duration_s) == ("", (), 50)
    assert (transcript.language, transcript.language_probability) == ("ru", 1)
    assert (transcript.reference, transcript.columns) == ("one", {"speaker": 7})
    assert transcript.dropped == (DroppedSegment(0, 50, "no speech"),)


def test_speech_that_the_model_calls_silence() -> None:
    silent = Hypothesis((7,), "en", 1.0, -2.0, 0.9)
    told = speech((0, 10), until_s=10)
    _, transcript = run(opened(told), sound(10), lambda _window: silent)
    assert (transcript.text, transcript.segments, transcript.language) == ("", (), "en")
    assert transcript.dropped == (DroppedSegment(0, 10, "no speech", "7"),)


def test_no_audio_at_all() -> None:
    with pytest.raises(ClipError, match="it holds no sound: expected at least one sample"):
        opened(speech(until_s=1)).flush()


def test_a_short_clip_is_one_window_without_timestamps() -> None:
    told = speech((3, 4), until_s=20)
    windows, transcript = run(opened(told), sound(20), every_half_second)
    assert [(each.start_s, each.duration_s) for each in windows] == [(0, 20)]
    assert not windows[0].decoding.timestamps
    (segment,) = transcript.segments
    assert (segment.start_s, segment.end_s) == (0, 20)
    assert transcript.dropped == ()


def in_languages(language_of: Callable[[Window], str]) -> Callable[[Window], Hypothesis]:
    """Hears all in the language of the window, unless another is asked for."""

    def model(window: Window) -> Hypothesis:
        heard, language = every_half_second(window), language_of(window)
        if window.decoding.language is not None:
            return heard
        top = ((language, 0.8), ("en" if language != "en" else "de", 0.15))
        return replace(heard, language=language, language_probability=0.8, languages=top)

    return model


MINUTES = speech((0, 300), until_s=300)


def odd_one(window: Window) -> str:
    return "cy" if 50 <= window.start_s < 75 else "en"


def test_windows_in_another_language_run_again_in_that_of_the_clip() -> None:
    windows, transcript = run(opened(MINUTES), sound(300), in_languages(odd_one))
    first = [(each.start_s, each.duration_s) for each in windows if each.decoding.language is None]
    given = [each for each in windows if each.decoding.language is not None]
    again = [each for each in given if (each.start_s, each.duration_s) in first]
    assert [(odd_one(each), each.decoding.language) for each in again] == [("cy", "en")]
    assert {each.language for each in transcript.segments} == {"en"}
    assert transcript.language == "en"
    assert 0.7 < transcript.language_probability < 0.8


@pytest.mark.parametrize(
    ("decoding", "expected"),
    [
        (DecodingSettings(multilingual=True), {"en", "cy"}),
        (DecodingSettings(language="de"), {"de"}),
        (DecodingSettings(language_threshold=0.9, fallback_language="fr"), {"fr"}),
        (DecodingSettings(language_threshold=0.5, fallback_language="fr"), {"en"}),
    ],
)
def test_languages_of_the_segments(decoding: DecodingSettings, expected: set[str]) -> None:
    settings = ClipSettings(decoding)
    _, transcript = run(opened(MINUTES, settings), sound(300), in_languages(odd_one))
    assert {each.language for each in transcript.segments} == expected


def test_an_english_model_has_no_languages() -> None:
    def model(window: Window) -> Hypothesis:
        assert window.decoding.language is None
        return replace(every_half_second(window), language=None, language_probability=0.0)

    _, transcript = run(opened(MINUTES), sound(300), model)
    assert (transcript.language, transcript.language_probability) == (None, 0.0)
    assert transcript.text


def test_the_prefix_is_the_first_windows_only_and_the_prompt_is_everyones() -> None:
    settings = ClipSettings(DecodingSettings(prefix="7", initial_prompt="5 6"))
    windows, _ = run(opened(MINUTES, settings), sound(300), every_half_second)
    assert [each.decoding.prefix for each in windows] == [(7,), *[()] * (len(windows) - 1)]
    assert {each.decoding.previous for each in windows} == {(5, 6)}


def test_a_long_recording_without_text_lets_its_windows_go() -> None:
    """There is no usual rate of text to wait for."""
    long_form = opened(speech((0, 900), until_s=900))
    sounds = []
    for _ in range(90):
        waiting = long_form.feed(sound(10))
        sounds += [weakref.ref(window.samples) for window in waiting]
        while waiting:
            waiting += long_form.add_result(waiting.pop(), make_hypothesis())
    assert len(sounds) > 3 * RATE_WINDOWS
    assert sum(each() is not None for each in sounds) <= RATE_WINDOWS
