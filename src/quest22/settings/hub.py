"""Where on the Hub a run's transcripts are published, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field

from quest22.settings.forms import DURATION
from quest22.settings.option import declared, option

PANEL = "Publishing"


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Where on the Hub transcripts are published, and how often: by time or by count.

    ``token`` is the one of :class:`quest22.settings.EngineSettings`.
    """

    repository: str = field(
        metadata=declared(
            name="push_to_hub",
            flags="--push-to-hub",
            help="Publish the transcripts as a dataset on the Hub during the run; requires "
            "[cyan]--output-dir[/].",
            metavar="ORG/NAME",
            unset="not published",
            panel=PANEL,
        )
    )
    private: bool = option(
        False, flags="--private", help="Make the published dataset private.", panel=PANEL
    )
    commit_seconds: float | None = option(
        600.0,
        name="hub_commit_every",
        flags="--hub-commit-every",
        form=DURATION,
        help="Commit at this interval ([cyan]10m[/], [cyan]1h[/]), or after this many transcripts "
        "([cyan]5000[/]).",
        metavar="TIME|N",
        panel=PANEL,
    )
    commit_rows: int | None = None
    token: str | None = field(default=None, repr=False)
