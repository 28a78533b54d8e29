"""Every protocol can say every reason."""

from __future__ import annotations

from typing import get_args

import pytest

from quest22.server.deepgram import errors as deepgram
from quest22.server.openai import errors as openai
from quest22.server.refusal import STATUS, Reason, Refusal


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_has_a_status_and_is_said_by_each_protocol(reason: Reason) -> None:
    assert 400 <= STATUS[reason] < 600
    refusal = Refusal(reason, "why")
    assert openai.error_body(refusal)["error"]["message"] == "why"
    assert deepgram.answer(refusal, "an id").status_code >= 400
