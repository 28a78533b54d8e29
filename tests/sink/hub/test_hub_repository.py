"""A Hub that fails for a while is waited for, and the user is told why nothing comes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.errors import HfHubHTTPError

from quest22.errors import SinkError
from quest22.sink.hub.hub_repository import HubRepository, RetryPolicy
from quest22.system.retry import Backoff


class Api:
    """Fails so many times before it answers."""

    def __init__(self, failures: int) -> None:
        self._left = failures

    def dataset_info(self, _name: str, revision: str | None) -> Any:
        self._left -= 1
        if self._left >= 0:
            raise ConnectionError(f"no answer for {revision}")
        return SimpleNamespace(card_data=SimpleNamespace(license="mit", language="en"))


@pytest.mark.parametrize(("failures", "told"), [(0, 0), (2, 0), (3, 2), (6, 2)])
def test_trouble_that_lasts_is_told_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture, failures: int, told: int
) -> None:
    caplog.set_level("WARNING", "quest22")
    pauses: list[float] = []
    api: Any = Api(failures)
    repository = HubRepository(api, "me/out", RetryPolicy(sleep=pauses.append))
    assert repository.source_card("org/d", "abc")["license"] == "mit"
    assert (repository.retries, len(pauses)) == (failures, failures)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == told
    if told:
        assert said[0] == "me/out on the Hub: ConnectionError; retrying for up to 900 s"
        assert said[1] == "me/out on the Hub is reachable again"


def refusal(status: int, headers: dict[str, str]) -> HfHubHTTPError:
    response: Any = SimpleNamespace(status_code=status, headers=headers, request=None)
    return HfHubHTTPError("no", response=response)


class Limited:
    """Answers with a rate limit so many times; then it answers."""

    def __init__(self, *waits: str | None) -> None:
        self._waits = list(waits)

    def dataset_info(self, _name: str, revision: str | None) -> Any:
        if self._waits:
            wait = self._waits.pop(0)
            raise refusal(429, {} if wait is None else {"Retry-After": wait})
        return SimpleNamespace(card_data=SimpleNamespace(license="mit", language="en"))


STEADY = Backoff(1.0, 1.0, (1.0, 1.0))


def test_a_rate_limit_is_waited_for_as_the_hub_asks() -> None:
    pauses: list[float] = []
    api: Any = Limited("7", None, "3600")
    policy = RetryPolicy(backoff=STEADY, sleep=pauses.append, max_retry_after_s=300.0)
    assert HubRepository(api, "me/out", policy).source_card("d", None)["license"] == "mit"
    assert pauses == [8.0, 1.0, 301.0]


def test_waiting_for_a_rate_limit_has_an_end() -> None:
    pauses: list[float] = []
    api: Any = Limited(*["400"] * 9)
    repository = HubRepository(api, "me/out", RetryPolicy(900.0, STEADY, pauses.append))
    with pytest.raises(SinkError, match=r"for 900 s \(HTTP 429\)"):
        repository._retry(lambda: api.dataset_info("d", None))
    assert pauses == [301.0] * 3
