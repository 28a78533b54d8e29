"""Where on the Hub a run's transcripts are published, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from quest22.errors import UsageError
from quest22.settings.forms import Form
from quest22.settings.option import declared, option, options_of, take_values
from quest22.settings.quantities import format_duration, parse_duration_s

PANEL = "Publishing"
MIN_COMMIT_S = 10.0


def parse_commit_interval(value: int | str) -> tuple[float | None, int | None]:
    """``10m`` → 600 s; ``5000`` → 5000 transcripts; the other is None.

    Raises :class:`UsageError` for what is neither.
    """
    text = str(value)
    if text.isdigit() and int(text):
        return None, int(text)
    try:
        seconds = parse_duration_s(text)
    except UsageError as exc:
        raise UsageError(
            f"hub_commit_every is {value!r}: expected a time such as 10m or 1h, or a number of "
            "transcripts"
        ) from exc
    if seconds < MIN_COMMIT_S:
        raise UsageError(f"hub_commit_every is {value!r}: expected at least {MIN_COMMIT_S:.0f}s")
    return seconds, None


COMMIT_INTERVAL = Form(
    lambda _, value: parse_commit_interval(value)[0], "int | str", format_duration
)


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Where on the Hub transcripts are published, and how often: by time or by count.

    ``token`` is the one of :class:`quest22.settings.EngineSettings`.
    """

    repository: str = field(
        metadata=declared(
            name="push_to_hub",
            flags="--push-to-hub",
            help="Publish the transcripts on the Hub during the run. They become a dataset; "
            "requires [cyan]--output-dir[/].",
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
        form=COMMIT_INTERVAL,
        help="Commit at this interval ([cyan]10m[/], [cyan]1h[/]), or after this many transcripts "
        "([cyan]5000[/]).",
        metavar="TIME|N",
        panel=PANEL,
    )
    commit_rows: int | None = None
    token: str | None = field(default=None, repr=False)

    @classmethod
    def take(cls, options: dict[str, Any], token: str | None) -> HubSettings | None:
        """Make settings from options as Python callers write them; removes those it knows.

        None where nothing is published. Raises :class:`UsageError` for values that cannot be.
        """
        if options.get("push_to_hub") is None:
            for each in options_of(cls):
                options.pop(each.name, None)
            return None
        _, rows = parse_commit_interval(options.get("hub_commit_every", "10m"))
        values = take_values(cls, options)
        return cls(**values, commit_rows=rows, token=token)
