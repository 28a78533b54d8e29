import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.bench.live import alignment
from quest22.bench.live.alignment import Heard, Said, align
from quest22.evaluation.score import word_errors

texts = st.lists(st.sampled_from("abcd"), max_size=12)


def edits(said: list[str], heard: list[str], pairs: list[alignment.Pair]) -> int:
    return sum(
        first is None or second is None or said[first] != heard[second] for first, second in pairs
    )


@given(said=texts, heard=texts)
def test_without_a_clock_it_is_an_alignment_of_fewest_edits(said: list[str], heard: list[str]):
    pairs = align([Said(text, 1.0) for text in said], [Heard(text, 1.0) for text in heard])
    assert [first for first, _ in pairs if first is not None] == list(range(len(said)))
    assert [second for _, second in pairs if second is not None] == list(range(len(heard)))
    assert edits(said, heard, pairs) == word_errors(" ".join(said), " ".join(heard)).errors


@given(said=texts, heard=texts, times=st.lists(st.floats(0, 15), min_size=12, max_size=12))
def test_no_word_is_one_that_is_said_later(said: list[str], heard: list[str], times: list[float]):
    times = sorted(times)[: len(heard)]
    pairs = align(
        [Said(text, float(at)) for at, text in enumerate(said)],
        [Heard(text, at_s) for text, at_s in zip(heard, times, strict=True)],
    )
    assert [first for first, _ in pairs if first is not None] == list(range(len(said)))
    assert [second for _, second in pairs if second is not None] == list(range(len(heard)))
    for first, second in pairs:
        if first is not None and second is not None:
            assert first <= times[second] + alignment.EARLY_S


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ([("a", 1.2)], [(0, 0), (1, None), (2, None)]),
        ([("a", 5.2)], [(0, None), (1, 0), (2, None)]),
        ([("a", 9.2)], [(0, None), (1, None), (2, 0)]),
        ([("a", 1.1), ("a", 9.1)], [(0, 0), (1, None), (2, 1)]),
    ],
)
def test_among_as_few_edits_the_shortest_delays_win(heard, expected):
    said = [Said("a", 1.0), Said("a", 5.0), Said("a", 9.0)]
    assert align(said, [Heard(*each) for each in heard]) == expected


def test_a_text_long_after_the_sound_is_not_it(monkeypatch):
    monkeypatch.setattr(alignment, "LATE_S", 10.0)
    assert align([Said("a", 1.0)], [Heard("a", 12.0)]) == [(0, None), (None, 0)]
    assert align([Said("a", 1.0)], [Heard("a", 10.0)]) == [(0, 0)]
