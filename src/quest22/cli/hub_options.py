"""The flags that say where on the Hub a run's transcripts are published."""

from __future__ import annotations

from typing import Annotated

from quest22.cli.flags import FlagGroup, flag, flag_group
from quest22.errors import UsageError
from quest22.settings import HubSettings
from quest22.settings.quantities import parse_duration_s

LEAST_SECONDS = 10.0


@flag_group(HubSettings)
class HubFlags(FlagGroup):
    """Whether, where and how often transcripts are published."""

    push_to_hub: Annotated[str | None, flag(HubSettings, "repository")] = None
    hub_commit_every: Annotated[str, flag(HubSettings, "commit_seconds")] = "10m"

    def settings(self, token: str | None, *, in_folder: bool) -> HubSettings | None:
        """None if nothing is published. Raises :class:`UsageError` for invalid values."""
        if self.push_to_hub is None:
            return None
        if not in_folder:
            raise UsageError(
                "--push-to-hub requires --output-dir, where a run keeps what it needs to continue"
            )
        seconds, rows = parse_commit_interval(self.hub_commit_every)
        return self.make(HubSettings, commit_seconds=seconds, commit_rows=rows, token=token)


def parse_commit_interval(text: str) -> tuple[float | None, int | None]:
    """``10m`` → 600 s, ``5000`` → 5000 transcripts; the other is None."""
    if text.isdigit() and int(text):
        return None, int(text)
    try:
        seconds = parse_duration_s(text)
    except UsageError as exc:
        raise UsageError(
            f"--hub-commit-every {text!r}: expected a time such as 10m or 1h, or a number of "
            "transcripts"
        ) from exc
    if seconds < LEAST_SECONDS:
        raise UsageError(f"--hub-commit-every {text!r}: expected at least {LEAST_SECONDS:.0f}s")
    return seconds, None
