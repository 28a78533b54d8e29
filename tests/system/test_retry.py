from __future__ import annotations

from email.utils import formatdate
from itertools import islice, pairwise, repeat

import pytest

from quest22.system.retry import Backoff, is_transient_status, retry, retry_after_s, status_of


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


class AnswerError(Exception):
    """An error with a response, as clients of HTTP raise it."""

    def __init__(self, status: int, **headers: str) -> None:
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def asking(text: str | None) -> AnswerError:
    return AnswerError(429) if text is None else AnswerError(429, Retry_After=text)


@pytest.mark.parametrize(
    ("asked", "seconds"), [("7", 7), ("0.5", 0.5), ("-3", 0), ("soon", None), (None, None)]
)
def test_retry_after(asked: str | None, seconds: float | None) -> None:
    assert retry_after_s(asking(asked)) == seconds
    date = formatdate(4_000_000_000, usegmt=True)
    assert (retry_after_s(AnswerError(503, Retry_After=date)) or 0) > 1e9


@pytest.mark.parametrize(("asked", "delay_s"), [(None, 9.0), ("3", 5.0), ("700", 62.0)])
def test_a_server_that_asks_for_time_gets_it(asked: str | None, delay_s: float) -> None:
    backoff = Backoff(2.0, 9.0, (1.0, 1.0))
    wrapped = RuntimeError("in an upload thread")
    wrapped.__cause__ = asking(asked)
    for error in (asking(asked), wrapped):
        assert backoff.next_s(error, repeat(9.0), 60.0) == delay_s


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        *((status, False) for status in (None, 200, 401, 404, 409, 425, 499)),
        *((status, True) for status in (408, 429, 500, 503, 599)),
    ],
)
def test_statuses_worth_another_try(status: int | None, transient: bool) -> None:
    assert is_transient_status(status) is transient
    if status is not None:
        assert status_of(AnswerError(status)) == status
