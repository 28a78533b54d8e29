"""How a corpus is divided among workers, and how patient they are with each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from quest22.errors import UsageError
from quest22.settings.forms import DURATION
from quest22.settings.option import check_at_least, check_choice, declared, option

PANEL = "Cluster"

MIN_UNIT_S = 1.0
MIN_LEASE_S = 10.0

UnitFormat: TypeAlias = Literal["jsonl", "parquet"]


@dataclass(frozen=True, slots=True)
class ClusterPlanSettings:
    """Where workers meet, and what they share out. Raises :class:`UsageError`."""

    store: str = field(
        metadata=declared(
            flags="--store",
            help="Where the plan, the state of the work and the transcripts are kept: a folder "
            "that all workers see, or [cyan]s3://BUCKET/PREFIX[/].",
            metavar="STORE",
            panel=PANEL,
        )
    )
    unit_s: float = option(
        1200.0,
        name="unit",
        flags="--unit",
        form=DURATION,
        help="About how much sound a worker takes at a time, estimated from sizes or durations: "
        "[cyan]20m[/], [cyan]1h[/].",
        metavar="TIME",
        panel=PANEL,
    )
    format: UnitFormat = option(
        "jsonl",
        name="unit_format",
        flags=("--output-format", "-f"),
        help="The format of the transcripts: [cyan]jsonl[/] or [cyan]parquet[/].",
        metavar="FORMAT",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        if not self.unit_s >= MIN_UNIT_S:
            raise UsageError(f"unit is {self.unit_s:g} s: expected at least {MIN_UNIT_S:g} s")
        check_choice("output_format", self.format, get_args(UnitFormat))


@dataclass(frozen=True, slots=True)
class ClusterWorkSettings:
    """How patient workers are with each other; all of a store should have the same."""

    lease_s: float = option(
        120.0,
        name="lease",
        flags="--lease",
        form=DURATION,
        help="A worker that shows no sign of life for so long loses its work to another.",
        metavar="TIME",
        panel=PANEL,
    )
    max_attempts: int = option(
        3,
        flags="--max-attempts",
        help="How often a unit of work is tried before it counts as failed.",
        metavar="N",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        if not self.lease_s >= MIN_LEASE_S:
            raise UsageError(f"lease is {self.lease_s:g} s: expected at least {MIN_LEASE_S:g} s")
        check_at_least("max_attempts", self.max_attempts, 1)
