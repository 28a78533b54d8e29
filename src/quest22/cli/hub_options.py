"""The flags that say where on the Hub a run's transcripts are published."""

from __future__ import annotations

from typing import Annotated

from quest22.cli.flags import FlagGroup, flag, flag_group
from quest22.errors import UsageError
from quest22.settings import HubSettings
from quest22.settings.hub import parse_commit_interval


@flag_group(HubSettings)
class HubFlags(FlagGroup):
    """Whether, where and how often transcripts are published."""

    push_to_hub: Annotated[str | None, flag(HubSettings, "repository")] = None
    hub_commit_every: Annotated[str, flag(HubSettings, "commit_seconds")] = "10m"

    def settings(self, token: str | None, *, in_folder: bool) -> HubSettings | None:
        """None where nothing is published; raises :class:`UsageError`."""
        if self.push_to_hub is None:
            return None
        if not in_folder:
            raise UsageError(
                "--push-to-hub needs --output-dir: that folder holds what a run needs to continue"
            )
        seconds, rows = parse_commit_interval(self.hub_commit_every)
        return self.make(HubSettings, commit_seconds=seconds, commit_rows=rows, token=token)
