"""The data of Wyoming's events, which may be any JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.event import Event

from quest22.capture.raw_pcm import RawFormat
from quest22.server.refusal import Refusal
from quest22.server.wyoming.fields import Wanted, ping_text, read_format

NAMES = (
    "name",
    "language",
    "transcript_names",
    "transcript_terms",
    "rate",
    "width",
    "channels",
    "text",
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
DATA = st.dictionaries(st.sampled_from(NAMES), VALUES)


def read_or_refused(read: Callable[[Event], Any], event: Event) -> Any:
    """What was read, or what is said to the client."""
    try:
        return read(event)
    except Refusal as refusal:
        return refusal.message


@given(DATA)
def test_any_data_is_read_or_refused(data: dict[str, Any]) -> None:
    event = Event("any", data)
    reads: tuple[Callable[[Event], Any], ...] = (
        lambda event: Wanted.of(event).options(),
        read_format,
        ping_text,
    )
    for read in reads:
        found = read_or_refused(read, event)
        if not isinstance(found, RawFormat):
            assert len(json.dumps(found, ensure_ascii=False).encode()) < 3_000


@pytest.mark.parametrize(
    ("read", "data", "said"),
    [
        (Wanted.of, {"transcript_names": 5}, "transcript_names is 5: expected a list of texts"),
        (Wanted.of, {"transcript_terms": ["a", 5]}, "transcript_terms"),
        (Wanted.of, {"transcript_terms": "names"}, "transcript_terms is 'names'"),
        (Wanted.of, {"name": ["base"]}, "name is .*: expected a text"),
        (Wanted.of, {"language": 7}, "language is 7: expected a text"),
        (read_format, {"rate": 16_000, "width": True, "channels": 1}, "width is True"),
        (read_format, {"rate": "16000", "width": 2, "channels": 1}, "rate is '16000'"),
        (read_format, {"rate": 16_000, "width": 2}, "channels is None"),
        (read_format, {"rate": 16_000, "width": 7, "channels": 1}, "1 to 4 bytes"),
        (ping_text, {"text": {}}, "text is {}"),
        (ping_text, {"text": "\ud800"}, "expected a text"),
    ],
)
def test_a_value_of_another_kind(
    read: Callable[[Event], Any], data: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refusal, match=said):
        read(Event("any", data))


def test_what_is_asked_for() -> None:
    data = {"name": "base", "language": "de-DE", "transcript_names": ["Ute"], "context": 5}
    wanted = Wanted.of(Event("transcribe", {**data, "transcript_terms": ["Lampe"]}))
    assert wanted == Wanted("base", "de-DE", ("Ute", "Lampe"))
    assert wanted.options() == {"language": "de", "hotwords": "Ute, Lampe"}
    assert Wanted.of(Event("transcribe")).options() == {"language": None}
