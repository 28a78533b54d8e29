"""Counts and logs the retries that ``huggingface_hub`` makes itself, as this product's own are.

The library reports them in its log alone. Logs are process-wide, so the metrics named last count.
"""

from __future__ import annotations

import logging
import re

from quest22.metrics import Metrics
from quest22.source.io.retry import LOG_AFTER_S, host_of

_LOGGER = "huggingface_hub.utils._http"
_log = logging.getLogger("quest22")
_FAILED_REQUEST = re.compile(
    r"(?:HTTP Error (\d+)|.*) thrown while requesting \w+ (\S+)", re.DOTALL
)
_DELAY = re.compile(r"(?:Retrying in|Rate limited\. Waiting) ([\d.]+)s")


class _RetryLogFilter(logging.Filter):
    """Removes the library's warnings about retries and counts them instead."""

    metrics: Metrics | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        failed = _FAILED_REQUEST.match(text)
        if failed is not None and self.metrics is not None:
            status, url = failed.groups()
            kind = f"HTTP {status}" if status else _error_kind_in(text)
            self.metrics.count_labelled("retries", host_of(url), kind)
        delay = _DELAY.match(text)
        if delay is not None and float(delay[1]) >= LOG_AFTER_S:
            _log.warning("the Hub limits requests: retrying in %.0f s", float(delay[1]))
        return failed is None and delay is None


def _error_kind_in(text: str) -> str:
    if "timed out" in text or "timeout" in text.lower():
        return "time-out"
    if "refused" in text:
        return "connection refused"
    return "body cut off" if "complete message body" in text else "connection lost"


_FILTER = _RetryLogFilter()


def count_hub_retries(metrics: Metrics) -> None:
    """Count the library's retries in ``metrics`` from now on."""
    _FILTER.metrics = metrics
    logging.getLogger(_LOGGER).addFilter(_FILTER)  # adding the same filter again has no effect
