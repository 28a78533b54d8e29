"""A client's text messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quest22.server.deepgram import control
from quest22.server.deepgram.control import Control
from quest22.server.deepgram.parameters import Formatting


@pytest.mark.parametrize(
    ("text", "kind", "channel"),
    [
        ('{"type": "KeepAlive"}', "KeepAlive", None),
        ('{"type": "Finalize", "channel": 1}', "Finalize", 1),
        ('{"type": "CloseStream"}', "CloseStream", None),
    ],
)
def test_messages(text: str, kind: str, channel: int | None) -> None:
    found = control.read(text)
    assert found is not None
    assert (found.kind, found.channel) == (kind, channel)


@pytest.mark.parametrize(
    "text",
    ["", "KeepAlive", "[1]", '"x"', '{"type": "Sing"}', "{}", "[" * 60_000, "x" * 100_000],
    ids=["empty", "a word", "a list", "a string", "unknown", "no type", "deep", "long"],
)
def test_what_is_none(text: str) -> None:
    assert control.read(text) is None
    error = control.schema_error(text)
    assert (error["type"], error["variant"]) == ("Error", "SchemaError")
    assert len(json.dumps(error)) < 1_000


def configured(fields: dict[str, Any], formatting: Formatting) -> dict[str, Any]:
    return control.configure(Control("Configure", None, fields), formatting, "r")


def test_the_form_of_words_can_be_changed() -> None:
    formatting = Formatting()
    answer = configured({"features": {"punctuate": True, "numerals": True}}, formatting)
    assert answer == {"type": "ConfigureSuccess", "request_id": "r"}
    assert formatting.punctuated
    configured({"features": {"smart_format": False}}, formatting)
    assert not formatting.punctuated
    assert configured({"features": None, "keyterms": None}, formatting)["type"].endswith("Success")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"keyterms": ["a"]}, "CONFIGURE_KEYTERMS_NOT_SUPPORTED"),
        ({"features": {"sing": True}}, "CONFIGURE_INTERNAL_ERROR"),
        ({"features": ["punctuate"]}, "CONFIGURE_INTERNAL_ERROR"),
    ],
)
def test_what_cannot_be_changed(fields: dict[str, Any], code: str) -> None:
    answer = configured(fields, Formatting())
    assert (answer["type"], answer["code"]) == ("ConfigureFailure", code)
