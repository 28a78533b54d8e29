from __future__ import annotations

from collections import Counter

from quest22.evaluation.score import ErrorRate
from quest22.sink.run_counts import MAX_STORED_REASONS, OTHER_REASONS, RunCounts, count_reason
from tests.support.results import failure, transcript


def counted(*results) -> RunCounts:
    counts = RunCounts()
    for result in results:
        counts.add(result)
    return counts


def test_a_new_reason_beyond_the_limit_counts_as_another():
    reasons: Counter[str] = Counter()
    for reason in ("no audio", "time-out", "no audio", "time-out"):
        count_reason(reasons, "audio", reason, limit=1)
    assert reasons == {"audio: no audio": 2, OTHER_REASONS: 2}


def test_rare_languages_are_mistakes():
    counts = counted(*(transcript(language="en") for _ in range(200)), transcript(language="cy"))
    assert counts.main_languages() == ["en"]


def test_counts_survive_as_json():
    counts = counted(transcript(reference="hello there"), transcript(reference="東京"), failure())
    assert RunCounts.from_json(counts.to_json()) == counts
    assert counts.errors.words == ErrorRate(hits=2, pairs=1)
    assert counts.errors.characters.total == 2


def test_reasons_are_bounded():
    counts = RunCounts()
    for number in range(MAX_STORED_REASONS + 5):
        counts.reasons[f"reason {number}"] += 1
    counts.add(failure())
    assert counts.reasons[OTHER_REASONS] == 1


def test_the_total_of_parts_is_what_all_together_count():
    parts, whole = [RunCounts(), RunCounts()], RunCounts()
    results = [transcript("a", " red", reference="blue"), failure(), transcript("b", language="fr")]
    for number, result in enumerate(results):
        parts[number % 2].add(result)
        whole.add(result)
    assert RunCounts.total(parts) == whole
    assert RunCounts.total([]) == RunCounts()
