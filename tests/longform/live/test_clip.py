"""Sessions from their first sample to their transcript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from quest22.records import SAMPLE_RATE_HZ, Alignment, Hypothesis, Window
from quest22.settings import DecodingSettings
from quest22.settings.clip_options import ClipSettings
from tests.longform.live.spoken import (
    Listener,
    Model,
    Said,
    Session,
    loudness,
    opened,
    run,
    sound,
    talk,
)
from tests.support.fake_whisper import NUMBERS, Numbers


def spoken_text(said: list[Said]) -> str:
    return " ".join(str(word.token) for word in said)


def test_segments_end_at_pauses_and_their_text_is_final() -> None:
    said = talk(0.5, 1.0, 1.0)
    session, transcript = run(said)
    assert [each.text for each in session.finals] == [
        spoken_text(said[:5]),
        spoken_text(said[5:10]),
        spoken_text(said[10:]),
    ]
    assert transcript.text == spoken_text(said)
    assert [each.segment for each in session.finals] == [0, 1, 2]


def test_words_are_shown_then_committed_then_final() -> None:
    session, _ = run(talk(0.5))
    kinds = [each.type for each in session.events]
    assert (kinds[0], kinds[-1]) == ("interim", "final")
    assert "committed" in kinds
    assert [each.revision for each in session.events] == list(range(len(kinds)))


def test_a_click_opens_no_segment() -> None:
    session, transcript = run([Said(1, 1.0, 1.05)], until_s=3.0)
    assert (session.windows, session.events, transcript.text) == ([], [], "")


def test_the_final_window_runs_before_the_segment_ends() -> None:
    said = talk(0.5)
    session, _ = run(said, previews=False)
    (window,) = session.windows
    silence_s = window.start_s + window.duration_s - said[-1].end_s
    assert 0.05 < silence_s < 0.2
    assert session.finals[0].text == spoken_text(said)


@pytest.mark.parametrize(
    ("pause_s", "sure", "segments"),
    [(0.15, 0.9, 1), (0.25, 0.9, 2), (0.25, 0.5, 1), (0.4, 0.5, 1), (0.4, 0.9, 2), (0.7, 0.5, 2)],
)
def test_speech_that_goes_on_soon_stays_in_its_segment_unless_its_text_is_complete(
    pause_s: float, sure: float, segments: int
) -> None:
    said = talk(0.5, pause_s)
    session, transcript = run(said, previews=False, model=Listener(said, sure=sure))
    assert (len(session.windows), len(session.finals)) == (2, segments)
    assert transcript.text == spoken_text(said)


def test_no_preview_is_made_where_speech_may_be_over() -> None:
    said = talk(0.5, words=4)
    session = Session(opened(loudness(said, 3.5)), Listener(said))
    ends_at, samples = round(said[-1].end_s * SAMPLE_RATE_HZ), sound(3.5)
    session.feed(samples[: ends_at - 512], previews=False)
    assert session.clip.unheard_s > 1
    session.feed(samples[ends_at - 512 : ends_at + 1024])
    assert session.windows == []


def test_the_end_of_the_sound_ends_the_segment() -> None:
    said = talk(0.5)
    session, transcript = run(said, until_s=said[-1].end_s)
    assert transcript.text == spoken_text(said)
    assert session.events[-1].type == "final"


def test_what_the_model_repeats_of_the_segment_before_is_not_told() -> None:
    said = talk(0.5, 0.8)
    listener = Listener(said)

    def echoing(window: Window) -> Hypothesis:
        hypothesis = listener(window)
        repeated = window.decoding.prefix[-2:]
        if not repeated or hypothesis.alignment is None:
            return hypothesis
        at_s = hypothesis.alignment.bounds_s[0]  # they find no sound of their own
        alignment = Alignment(
            (at_s,) * len(repeated) + hypothesis.alignment.bounds_s,
            (0.9,) * len(repeated) + hypothesis.alignment.probabilities,
        )
        tokens = repeated + hypothesis.tokens
        return replace(hypothesis, tokens=tokens, alignment=alignment)

    session, transcript = run(said, model=echoing)
    assert transcript.text == spoken_text(said)
    assert len(session.finals) == 2


def test_speech_without_a_pause_is_cut_and_nothing_is_said_twice() -> None:
    said = talk(0.3, words=200)
    session, transcript = run(said)
    assert transcript.text == spoken_text(said)
    assert len(session.finals) >= 3
    assert all(window.duration_s <= 29.5 for window in session.windows)


@pytest.mark.parametrize("word_s", [0.5, 10.0, 13.0, 15.0, 27.5])
def test_a_single_word_in_long_noise_is_not_lost(word_s: float) -> None:
    noise = loudness([Said(0, 0.2, 44.0)], 46.0)
    session = Session(opened(noise), Listener([Said(7, word_s, word_s + 0.4)]))
    samples = sound(46.0)
    for start in range(0, len(samples), 1600):
        session.feed(samples[start : start + 1600])
    assert session.end().text == "7"
    assert [each.text for each in session.finals if each.text] == ["7"]


def test_committed_words_are_the_prefix_and_the_tail_is_the_draft() -> None:
    said = talk(0.3, words=12)
    listener = Listener(said)
    session, _ = run(said, model=listener)
    late = next(window for window in session.windows if window.duration_s > 3).decoding
    known = len(late.prefix)
    assert known > 3
    assert late.prefix == tuple(range(known))
    assert late.draft[:1] == (known,)


def test_earlier_words_are_heard_again_after_a_short_pause_only() -> None:
    said = talk(0.5, 1.0, 5.0)
    session, _ = run(said, previews=False)
    first, second, third = session.windows
    assert first.decoding.prefix == ()
    assert second.decoding.prefix == (0, 1, 2, 3, 4)
    assert second.start_s == first.start_s
    assert third.decoding.prefix == ()
    assert third.start_s > said[9].end_s


@dataclass
class Doubtful:
    """A model that is improbable at first, and better at a later try."""

    listener: Listener
    logprobs: list[float]
    windows: list[Window] = field(default_factory=list)

    def __call__(self, window: Window) -> Hypothesis:
        self.windows.append(window)
        return replace(self.listener(window), avg_logprob=self.logprobs[len(self.windows) - 1])


@pytest.mark.parametrize(
    ("logprobs", "tries"),
    [([-0.2], 1), ([-1.5, -0.5], 2), ([-1.5, -1.4, -0.9], 3), ([-1.5, -1.4, -1.3], 3)],
)
def test_a_doubtful_last_window_is_tried_again_twice_at_most(
    logprobs: list[float], tries: int
) -> None:
    said = talk(0.5)
    model = Doubtful(Listener(said), logprobs)
    session, transcript = run(said, model=model, previews=False)
    assert len(model.windows) == tries
    assert transcript.text == spoken_text(said)
    assert transcript.segments[0].avg_logprob == max(logprobs[:tries])
    assert [each.type for each in session.events][-1] == "final"
    assert model.windows[0].decoding.search.greedy_logprob is not None
    assert all(each.decoding.search.beam_size == 5 for each in model.windows[1:2])
    assert all(each.decoding.temperature > 0 for each in model.windows[2:])


def test_text_in_silence_is_not_told() -> None:
    said = talk(0.5)

    def nobody(window: Window) -> Hypothesis:
        return replace(Listener(said)(window), avg_logprob=-1.5, no_speech_prob=0.9)

    session, transcript = run(said, model=nobody)
    assert (session.events, transcript.text) == ([], "")
    assert [each.reason for each in transcript.dropped] == ["no speech"]


def test_a_loop_in_a_preview_is_not_told() -> None:
    said = talk(0.5, words=10)
    listener = Listener(said)

    def looping(window: Window) -> Hypothesis:
        hypothesis = listener(window)
        if not window.interim or window.index != 2 or hypothesis.alignment is None:
            return hypothesis
        alignment = replace(hypothesis.alignment, bounds_s=(0.0,) * 301, probabilities=(0.9,) * 300)
        return replace(hypothesis, tokens=(7,) * 300, alignment=alignment)

    session, transcript = run(said, model=looping)
    assert transcript.text == spoken_text(said)
    assert not [each for each in session.events if "7 7" in each.text]


def test_a_window_that_fails_ends_its_segment_with_what_is_certain() -> None:
    said = talk(0.5, 1.0)
    session = Session(opened(loudness(said, 8.0)), Listener(said))
    clip, samples = session.clip, sound(8.0)
    for start in range(0, len(samples), 1600):
        due = clip.feed(samples[start : start + 1600])
        while due:
            (window,) = due
            first = window.start_s < 1.0 and window.decoding.prefix[:1] != (5,)
            failed = first and window.start_s + window.duration_s < 3.0
            answer = clip.add_failure if failed else None
            due = answer(window, "out of memory") if answer else session_answer(session, window)
        if (preview := clip.preview()) is not None:
            session_answer(session, preview)
    events = [*session.events, *clip.take_events()]
    finals = [each for each in events if each.type == "final"]
    assert finals[0].text == " ".join(str(word.token) for word in said[: len(finals[0].words)])
    assert 0 < len(finals[0].words) < 5
    assert finals[1].text == spoken_text(said[5:])


class Sentences(Numbers):
    """Numbers with a full stop."""

    STOP = 899

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join("." if each == self.STOP else NUMBERS.decode([each]) for each in tokens)


@dataclass(frozen=True, slots=True)
class EndsSentences:
    """Hears words, and a full stop behind those of an utterance once the next one begins.

    With ``few`` words of the next one it stops there, unless the full stop is given to it.
    """

    said: Sequence[Said]
    few: int

    def __call__(self, window: Window) -> Hypothesis:
        decoding, stop = window.decoding, Sentences.STOP
        known = tuple(token for token in decoding.prefix if token != stop)
        heard = Listener(self.said)(replace(window, decoding=replace(decoding, prefix=known)))
        tokens = heard.tokens
        if decoding.prefix[-1:] == (4,):
            tokens = (stop, *tokens) if len(tokens) > self.few else (stop,)
        if not window.interim:
            tokens = (*tokens, stop)
        bounds_s = heard.alignment.bounds_s if heard.alignment else ()
        bounds_s = (bounds_s[:1] * 2 + bounds_s)[-len(tokens) - 1 :]
        return replace(heard, tokens=tokens, alignment=Alignment(bounds_s, (0.9,) * len(tokens)))


@pytest.mark.parametrize("few", [2, 99])
def test_the_first_words_after_a_pause_are_shown_soon(few: int) -> None:
    said = talk(0.5, 0.6)
    probabilities = loudness(said, 6.0)
    session = Session(opened(probabilities, vocabulary=Sentences()), EndsSentences(said, few))
    samples = sound(6.0)
    for start in range(0, len(samples), 640):
        session.feed(samples[start : start + 640])
    assert session.end().text == "0 1 2 3 4. 5 6 7 8 9."
    second = [each for each in session.events if each.segment == 1]
    assert second[0].audio_end_s - said[5].start_s < 0.45
    assert second[0].words
    assert all(each.words for each in second)  # what was shown stays
    early = [each for each in second if each.audio_end_s - said[5].start_s < 0.9]
    assert len(early) == 2
    assert not any(word.stable for each in early for word in each.words)
    last = session.windows[-1].decoding
    assert last.prefix[4:7] == (4, Sentences.STOP, 5)


def session_answer(session: Session, window: Window) -> list[Window]:
    return session.clip.add_result(window, session.model(window))


def test_a_committed_segment_ends_at_once_and_speech_goes_on_in_the_next() -> None:
    said = talk(0.5, words=12)
    session = Session(opened(loudness(said, 7.0)), Listener(said))
    samples = sound(7.0)
    for start in range(0, len(samples), 1600):
        session.feed(samples[start : start + 1600])
        if start == 32_000:
            session._run(session.clip.commit())
    transcript = session.end()
    first, second = session.finals
    assert first.audio_end_s == pytest.approx(2.1, abs=0.05)
    assert [int(word) % 500 for word in transcript.text.split()] == [
        *range(len(first.words)),
        *range(len(said) - len(second.words), len(said)),
    ]
    assert len(first.words) + len(second.words) in (12, 13)  # one is cut in two


def test_nothing_is_committed_without_speech() -> None:
    session = Session(opened(loudness([], 2.0)), Listener([]))
    session.feed(sound(1.0))
    assert session.clip.commit() == []
    assert session.end().text == ""


def multilingual(*spoken: tuple[str, float]) -> Model:
    """A model that detects these languages one after the other, so surely, window by window."""
    answers = iter(spoken)

    def detect(window: Window) -> Hypothesis:
        language, sure = next(answers)
        if window.decoding.language is not None:
            language, sure = window.decoding.language, 1.0
        fallback = window.decoding.detection.fallback
        if sure < window.decoding.detection.threshold and fallback is not None:
            language = fallback
        return replace(
            Listener(talk(0.5, 1.0))(window), language=language, language_probability=sure
        )

    return detect


@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        ([("de", 0.9), ("de", 0.9)], ["de", "de"]),
        ([("de", 0.9), ("fr", 0.9)], ["de", "fr"]),
        ([("de", 0.9), ("fr", 0.5)], ["de", "de"]),  # too short to be sure
        ([("de", 0.4), ("fr", 0.9)], ["de", "fr"]),
    ],
)
def test_each_segment_has_its_language(
    spoken: list[tuple[str, float]], expected: list[str]
) -> None:
    said = talk(0.5, 1.0)
    detected = ClipSettings(decoding=DecodingSettings())
    session = Session(
        opened(loudness(said, 6.0), settings=detected, language=None), multilingual(*spoken)
    )
    samples = sound(6.0)
    for start in range(0, len(samples), 1600):
        session.feed(samples[start : start + 1600], previews=False)
    session.end()
    assert [each.language for each in session.finals] == expected


def test_no_word_is_committed_before_the_language_is_settled() -> None:
    said = talk(0.5, words=5)
    unsure = multilingual(*([("de", 0.4)] * 20))
    session = Session(opened(loudness(said, 4.0), language=None), unsure)
    samples = sound(4.0)
    for start in range(0, len(samples), 1600):
        session.feed(samples[start : start + 1600])
    session.end()
    assert {each.type for each in session.events} == {"interim", "final"}


def test_a_window_that_does_not_run_is_refused() -> None:
    said = talk(0.5)
    session, _ = run(said, previews=False)
    with pytest.raises(RuntimeError, match="is not running"):
        session.clip.add_result(session.windows[0], session.model(session.windows[0]))


def test_words_are_kept_in_the_transcript_if_asked_for() -> None:
    said = talk(0.5)
    _, transcript = run(said)
    assert transcript.segments[0].words is None
    asked = ClipSettings(decoding=DecodingSettings(word_timestamps=True))
    session = Session(opened(loudness(said, 4.0), settings=asked), Listener(said))
    session.feed(sound(4.0))
    (segment,) = session.end().segments
    assert segment.words is not None
    assert [word.text for word in segment.words] == [f" {each.token}" for each in said]
    assert (segment.start_s, segment.end_s) == (segment.words[0].start_s, 2.49)


@pytest.mark.parametrize(("preview_s", "thorough"), [(0.5, True), (2.0, False)])
def test_improbable_words_are_checked_while_there_is_time(preview_s: float, thorough: bool) -> None:
    said = talk(0.3, words=20)

    def unsure(window: Window) -> Hypothesis:
        hypothesis = Listener(said)(window)
        alignment = hypothesis.alignment
        if alignment is None:
            raise AssertionError(window)
        shares = (0.3,) * len(hypothesis.tokens)
        return replace(hypothesis, alignment=replace(alignment, probabilities=shares))

    session = Session(opened(loudness(said, 9.0)), unsure)
    samples, block = sound(8.0), round(preview_s * 16_000)
    for start in range(0, len(samples), block):
        session.feed(samples[start : start + block])
    previews = [window.decoding.search.beam_size > 1 for window in session.windows]
    assert any(previews) is thorough
