"""Retries that the Hub's own library makes, counted like ours and not printed.

It tells of them in its log alone; process-wide as logs are, so the network made last is told.
"""

from __future__ import annotations

import logging
import re

from quest22.meter import Meter
from quest22.source.network import host_of

_LOGGER = "huggingface_hub.utils._http"
_TOLD = re.compile(r"(?:HTTP Error (\d+)|.*) thrown while requesting \w+ (\S+)", re.DOTALL)


class _Listener(logging.Filter):
    """Takes the library's warnings of retries away and tallies them."""

    meter: Meter | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        told = _TOLD.match(text)
        if told is not None and self.meter is not None:
            status, url = told.groups()
            trouble = f"answer {status}" if status else _trouble_in(text)
            self.meter.tally("retries", host_of(url), trouble)
        return told is None and not text.startswith("Retrying in")


def _trouble_in(text: str) -> str:
    if "timed out" in text or "timeout" in text.lower():
        return "time-out"
    if "refused" in text:
        return "connection refused"
    return "body cut off" if "complete message body" in text else "connection lost"


_LISTENER = _Listener()


def listen(meter: Meter) -> None:
    """Tally the library's retries in ``meter`` from now on."""
    _LISTENER.meter = meter
    logging.getLogger(_LOGGER).addFilter(_LISTENER)  # the same one twice counts once
