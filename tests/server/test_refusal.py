"""Every protocol can say every reason."""

from __future__ import annotations

from typing import get_args

import pytest

from quest22.server.deepgram import errors as deepgram
from quest22.server.openai import errors as openai
from quest22.server.operations.request_context import RequestContext, current_request, set_request
from quest22.server.refusal import STATUS, Reason, Refusal, refusal_response


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_has_a_status_and_is_said_by_each_protocol(reason: Reason) -> None:
    assert 400 <= STATUS[reason] < 600
    refusal = Refusal(reason, "why")
    assert openai.error_body(refusal)["error"]["message"] == "why"
    assert deepgram.deepgram_error_response(refusal, "an id").status_code >= 400


def test_the_log_has_the_reason_and_the_client_the_headers_of_both() -> None:
    set_request(RequestContext())
    refusal = Refusal("overloaded", "why", retry_after_s=7.0)
    answer = refusal_response(refusal, {"error": "why"}, headers={"x-own": "1"})
    assert current_request().reason == "overloaded"
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.headers["x-own"] == "1"
    assert refusal_response(refusal, {}, status=400).status_code == 400
