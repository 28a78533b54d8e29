"""How a corpus is divided among workers, and how patient they are with each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from quest22.errors import UsageError
from quest22.settings.forms import DURATION, OPTIONAL_DURATION, RANGE
from quest22.settings.option import (
    check_at_least,
    check_choice,
    check_positive,
    declared,
    option,
)

PANEL = "Cluster"

MIN_UNIT_S = 1.0
MIN_LEASE_S = 10.0

UnitFormat: TypeAlias = Literal["jsonl", "parquet"]

LOCAL, AUTO, CLIENT = "local", "auto", "ray://"


@dataclass(frozen=True, slots=True)
class ClusterPlanSettings:
    """Where workers meet, and what they share out. Raises :class:`UsageError`."""

    store: str = field(
        metadata=declared(
            flags="--store",
            help="A folder that all workers see, or [cyan]s3://BUCKET/PREFIX[/]. Also "
            "[cyan]gs://BUCKET/PREFIX[/] or [cyan]az://CONTAINER/PREFIX[/]. The plan, the state of "
            "the work and the transcripts are kept there.",
            metavar="STORE",
            panel=PANEL,
        )
    )
    unit_s: float = option(
        1200.0,
        name="unit",
        flags="--unit",
        form=DURATION,
        help="About how much sound a worker takes at a time: [cyan]1h[/]. It is estimated from "
        "sizes or durations.",
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


@dataclass(frozen=True, slots=True)
class ClusterRunSettings:
    """Where a run finds the machines of a cluster, and how many workers it starts there.

    Raises :class:`UsageError`.
    """

    cluster: str | None = option(
        None,
        flags="--cluster",
        help="Run on a Ray cluster: [cyan]local[/] (this machine alone), [cyan]auto[/] (the "
        "cluster that this machine is in, or [cyan]RAY_ADDRESS[/]), or [cyan]ray://HOST:10001[/]. "
        "The folder is then a cluster's store, and may be [cyan]s3://BUCKET/PREFIX[/].",
        metavar="ADDRESS",
        unset="no cluster",
        panel=PANEL,
    )
    workers: tuple[int, int] | None = option(
        None,
        name="cluster_workers",
        flags="--cluster-workers",
        form=RANGE,
        help="How many workers: [cyan]4[/], or the least and the most, [cyan]2:16[/], between "
        "which the number follows the work that is left.",
        metavar="N|MIN:MAX",
        unset="as many as there is room for at the start",
        panel=PANEL,
    )
    worker_cpus: int | None = option(
        None,
        flags="--worker-cpus",
        help="Cores of each worker.",
        metavar="N",
        unset="those of a machine, at most 8",
        panel=PANEL,
    )
    finish_in_s: float | None = option(
        None,
        name="finish_in",
        flags="--finish-in",
        form=OPTIONAL_DURATION,
        help="Between the least and the most, as few workers as finish within this time.",
        metavar="TIME",
        unset="as many as are worth their start",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        check_at_least("worker_cpus", self.worker_cpus, 1)
        check_positive("finish_in", self.finish_in_s)
        if self.cluster is not None:
            self._check_address(self.cluster)
        if self.finish_in_s is not None and len(set(self.workers or ())) < 2:
            raise UsageError(
                "finish_in chooses between a least and a most: give both, such as "
                "--cluster-workers 1:16"
            )

    @staticmethod
    def _check_address(address: str) -> None:
        if address not in (LOCAL, AUTO) and not address.startswith(CLIENT):
            raise UsageError(
                f"cluster is {address!r}: expected local, auto or ray://HOST:10001, the address "
                "of a Ray cluster's client server"
            )
