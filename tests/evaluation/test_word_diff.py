from __future__ import annotations

import pytest

from quest22.evaluation.word_diff import DiffSpan, align_words


@pytest.mark.parametrize(
    ("reference", "hypothesis", "spans"),
    [
        ("", "", []),
        ("a b", "", [DiffSpan("delete", ("a", "b"), ())]),
        ("", "a b", [DiffSpan("insert", (), ("a", "b"))]),
        ("a b", "a b", [DiffSpan("equal", ("a", "b"), ("a", "b"))]),
        (
            "a b c",
            "x b",
            [
                DiffSpan("substitute", ("a",), ("x",)),
                DiffSpan("equal", ("b",), ("b",)),
                DiffSpan("delete", ("c",), ()),
            ],
        ),
    ],
)
def test_spans_hold_every_word_in_order(reference, hypothesis, spans):
    found = align_words(reference.split(), hypothesis.split())
    assert found == spans
    assert " ".join(word for span in found for word in span.reference) == reference
    assert " ".join(word for span in found for word in span.hypothesis) == hypothesis


def test_case_counts():
    (span,) = align_words(["A"], ["a"])
    assert span.kind == "substitute"
