"""Which model a command runs: the one that is named, or, once, the one that a person chooses."""

from __future__ import annotations

import logging
import sys
from functools import cache

from quest22.checkpoint.known_models import EMBEDDED_MODELS, KNOWN_MODELS
from quest22.cli.exits import say
from quest22.errors import UsageError

OFFERED = ("tiny", "base", "small", "large-v3-turbo")
DEFAULT = "base"

_log = logging.getLogger("quest22")


@cache
def chosen_model(name: str | None) -> str | None:
    """The model to run; None stands for the best one in the caches.

    Without a name and with empty caches a person at a terminal is asked which model to download,
    unless the Hub is switched off; elsewhere None is returned, and whoever loads the model says
    what is missing. Warns if the model is the demonstration's. Raises :class:`UsageError` if the
    answer is no model.
    """
    if name in EMBEDDED_MODELS:
        _log.warning(
            "%s is the demonstration's model: it knows about a thousand English words of its own "
            "voices, and no other speech; for recordings of people take -m base or a larger one",
            name,
        )
    if name is not None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return name
    from huggingface_hub import constants

    from quest22.checkpoint.caches import best_cached

    return None if constants.HF_HUB_OFFLINE or best_cached() else _ask()


def _ask() -> str:
    say("no model is in the caches; which one shall be downloaded from the Hub?")
    for number, name in enumerate(OFFERED, 1):
        model = KNOWN_MODELS[name]
        size = f"{model.download_mb:,} MB" if model.download_mb else ""
        sys.stderr.write(f"  {number}  {name:<16}{model.parameters_m:>5} M parameters {size:>9}\n")
    sys.stderr.write(f"quest22: number or name [{DEFAULT}]: ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip() or DEFAULT
    if answer.isdecimal() and 1 <= int(answer) <= len(OFFERED):
        return OFFERED[int(answer) - 1]
    if answer not in KNOWN_MODELS:
        raise UsageError(
            f"{answer!r} is no model: expected 1 to {len(OFFERED)}, or a name of quest22 models"
        )
    return answer
