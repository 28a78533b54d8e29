"""Runs into a folder, independent of the command line.

Start and resume (:func:`run`), retry, shards, publishing on the Hub, and :func:`status`.
"""

from __future__ import annotations

from quest22.runs.journaled_run import run
from quest22.runs.retry_failed import retry
from quest22.runs.run_status import status
from quest22.runs.settings import RunSettings
from quest22.runs.store import LocalRunStore, RunStore
from quest22.runs.summary import RunSummary

__all__ = ["LocalRunStore", "RunSettings", "RunStore", "RunSummary", "retry", "run", "status"]
