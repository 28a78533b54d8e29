"""What the Hub's library says of its retries, in its own words."""

from __future__ import annotations

import logging

import pytest

from quest22.metrics import Metrics
from quest22.source.io.hub_retries import count_hub_retries

URL = "https://huggingface.co/api/datasets/org/speech"


@pytest.fixture
def library():
    yield logging.getLogger("huggingface_hub.utils._http")
    count_hub_retries(Metrics())


@pytest.mark.parametrize(
    ("lines", "trouble", "said"),
    [
        ([f"HTTP Error 503 thrown while requesting GET {URL}", "Retrying in 1s [Retry 1/5]."],
         "HTTP 503", []),
        ([f"HTTP Error 429 thrown while requesting GET {URL}",
          "Rate limited. Waiting 41.0s before retry [Retry 1/5]."],
         "HTTP 429", ["the Hub limits requests: retrying in 41 s"]),
        ([f"'timed out' thrown while requesting GET {URL}"], "time-out", []),
    ],
)  # fmt: skip
def test_retries_are_counted_and_long_ones_told(library, caplog, lines, trouble, said):
    metrics = Metrics()
    count_hub_retries(metrics)
    with caplog.at_level(logging.WARNING):
        for line in lines:
            library.warning(line)
    assert metrics.labelled_counts("retries") == {("huggingface.co", trouble): 1}
    assert [record.getMessage() for record in caplog.records] == said


def test_what_is_no_retry_passes(library, caplog):
    count_hub_retries(Metrics())
    with caplog.at_level(logging.WARNING):
        library.warning("something else")
    assert caplog.messages == ["something else"]
