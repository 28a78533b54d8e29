"""A Hub that fails for a while is waited for, and the user is told why nothing comes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from quest22.sink.hub.hub_repository import HubRepository, RetryPolicy


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
