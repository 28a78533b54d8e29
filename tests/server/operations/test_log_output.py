"""Lines of the log are as their schema says."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from quest22.cli.schema import schema_of
from quest22.server.operations.log_output import JsonLines
from quest22.server.operations.request_context import RequestContext
from tests.support.schemas import check


def written(text: str, **changes: object) -> dict[str, object]:
    """A record as a line."""
    record = logging.LogRecord("quest22.server", logging.WARNING, "", 0, text, None, None)
    record.__dict__.update(changes)
    line: dict[str, object] = json.loads(JsonLines().format(record))
    check("server-log", line)
    return line


@pytest.mark.parametrize(("reason", "more"), [("", set()), ("busy", {"reason"})])
def test_a_request_has_the_fields_of_the_schema_and_no_more(reason: str, more: set[str]) -> None:
    context = RequestContext("req_1", "openai", "GET", "/v1/models", "desk", 1.23456, 503, reason)
    line = written("", context=context)
    declared = schema_of("server-log")["$defs"]["RequestLine"]["properties"]
    assert line.keys() == declared.keys() - {"reason"} | more
    assert (line["event"], line["audio_s"], line["level"]) == ("request", 1.235, "warning")


def test_a_message_may_have_a_traceback() -> None:
    try:
        raise ValueError("no sound")
    except ValueError:
        line = written("failed", exc_info=sys.exc_info())
    assert (line["event"], line["message"]) == ("message", "failed")
    assert "ValueError: no sound" in str(line["exception"])
    assert "exception" not in written("a message")
