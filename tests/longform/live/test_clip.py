"""Sessions from their first sample to their transcript."""

from __future__ import annotations

from tests.longform.live.spoken import Listener, Said, run, talk


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


def test_speech_that_goes_on_after_a_short_pause_stays_in_its_segment() -> None:
    said = talk(0.5, 0.2)
    session, transcript = run(said, previews=False)
    assert (len(session.windows), len(session.finals)) == (2, 1)
    assert transcript.text == spoken_text(said)


def test_the_end_of_the_sound_ends_the_segment() -> None:
    said = talk(0.5)
    session, transcript = run(said, until_s=said[-1].end_s)
    assert transcript.text == spoken_text(said)
    assert session.events[-1].type == "final"


def test_speech_without_a_pause_is_cut_and_nothing_is_said_twice() -> None:
    said = talk(0.3, words=200)
    session, transcript = run(said)
    assert transcript.text == spoken_text(said)
    assert len(session.finals) >= 3
    assert all(window.duration_s <= 29.5 for window in session.windows)


def test_committed_words_are_the_prefix_and_the_tail_is_the_draft() -> None:
    said = talk(0.3, words=12)
    listener = Listener(said)
    session, _ = run(said, model=listener)
    late = next(window for window in session.windows if window.duration_s > 3).decoding
    known = len(late.prefix)
    assert known > 3
    assert late.prefix == tuple(range(known))
    assert late.draft[:1] == (known,)
