"""Retries that the Hub's own library makes, counted like ours and told like ours.

It tells of them in its log alone; process-wide as logs are, so the network made last is told.
"""

from __future__ import annotations

import logging
import re

from quest22.metrics import Metrics
from quest22.source.io.retry import TOLD_AFTER_S, host_of

_LOGGER = "huggingface_hub.utils._http"
_log = logging.getLogger("quest22")
_TOLD = re.compile(r"(?:HTTP Error (\d+)|.*) thrown while requesting \w+ (\S+)", re.DOTALL)

_PAUSE = re.compile(r"(?:Retrying in|Rate limited\. Waiting) ([\d.]+)s")


class _Listener(logging.Filter):
    """Takes the library's warnings of retries away and tallies them."""

    metrics: Metrics | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        told = _TOLD.match(text)
        if told is not None and self.metrics is not None:
            status, url = told.groups()
            trouble = f"answer {status}" if status else _trouble_in(text)
            self.metrics.tally("retries", host_of(url), trouble)
        pause = _PAUSE.match(text)
        if pause is not None and float(pause[1]) >= TOLD_AFTER_S:
            _log.warning("the Hub asks for patience: trying again in %.0f s", float(pause[1]))
        return told is None and pause is None


def _trouble_in(text: str) -> str:
    if "timed out" in text or "timeout" in text.lower():
        return "time-out"
    if "refused" in text:
        return "connection refused"
    return "body cut off" if "complete message body" in text else "connection lost"


_LISTENER = _Listener()


def listen(metrics: Metrics) -> None:
    """Tally the library's retries in ``metrics`` from now on."""
    _LISTENER.metrics = metrics
    logging.getLogger(_LOGGER).addFilter(_LISTENER)  # the same one twice counts once
