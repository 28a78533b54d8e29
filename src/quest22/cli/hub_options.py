"""The flags that say where on the Hub a run's transcripts are published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from quest22.errors import UsageError
from quest22.settings.quantities import parse_duration_s
from quest22.sink.hub.hub_repository import HubSettings

PUBLISHING = "Publishing"
LEAST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class HubFlags:
    """Whether, where and how often transcripts are published."""

    push_to_hub: Annotated[
        str | None,
        Option(
            help="Publish the transcripts as a dataset on the Hub, as the run goes; needs "
            "[cyan]--output-dir[/].",
            rich_help_panel=PUBLISHING,
            metavar="ORG/NAME",
        ),
    ] = None
    private: Annotated[
        bool,
        Option("--private", help="Make that dataset private.", rich_help_panel=PUBLISHING),
    ] = False
    hub_commit_every: Annotated[
        str,
        Option(
            help="Time ([cyan]10m[/], [cyan]1h[/]) or number of transcripts between two commits.",
            rich_help_panel=PUBLISHING,
            metavar="TIME|N",
        ),
    ] = "10m"

    def settings(self, token: str | None, *, in_folder: bool) -> HubSettings | None:
        """None where nothing is published; raises :class:`UsageError`."""
        if self.push_to_hub is None:
            return None
        if not in_folder:
            raise UsageError(
                "--push-to-hub needs --output-dir: there a run keeps what it needs to continue"
            )
        seconds, rows = parse_pace(self.hub_commit_every)
        return HubSettings(self.push_to_hub, self.private, seconds, rows, token)


def parse_pace(text: str) -> tuple[float | None, int | None]:
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
