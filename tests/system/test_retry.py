from __future__ import annotations

from itertools import islice, pairwise

import pytest

from quest22.system.retry import Backoff, retry


def test_delays_double_up_to_the_longest() -> None:
    assert list(islice(Backoff(0.5, 3.0, (1.0, 1.0)).delays(), 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_jitter_stays_within_its_bounds() -> None:
    delays = list(islice(Backoff(1.0, 1.0, (0.5, 1.0)).delays(), 200))
    assert min(delays) >= 0.5
    assert max(delays) <= 1.0
    assert any(first != second for first, second in pairwise(delays))


def test_an_action_is_repeated_after_each_delay() -> None:
    errors: list[Exception] = [OSError("a"), OSError("b")]
    seen: list[str] = []
    slept: list[float] = []

    def action() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    def delay_after(error: Exception) -> float:
        seen.append(str(error))
        return float(len(seen))

    assert retry(action, delay_after, slept.append) == "done"
    assert (seen, slept) == (["a", "b"], [1.0, 2.0])


def test_the_policy_gives_up_with_its_own_error() -> None:
    def action() -> None:
        raise OSError("down")

    def delay_after(error: Exception) -> float:
        raise ValueError("gave up") from error

    with pytest.raises(ValueError, match="gave up") as caught:
        retry(action, delay_after)
    assert isinstance(caught.value.__cause__, OSError)


def test_what_is_no_exception_of_the_action_passes_through() -> None:
    def action() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry(action, lambda _: 0.0)
