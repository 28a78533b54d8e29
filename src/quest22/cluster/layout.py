"""The names of a cluster's objects in its store.

::

    plan.json                            what is to be done: written once
    data/0000/part-0000042.jsonl         a unit's rows: written once
    .quest22/round-0/units/0000/         the ledger: names alone say how far each unit is
        0000042.e1                         lease of the first epoch; its worker rewrites it
        0000042.e1.released                given back         0000042.e1.failed   attempt failed
        0000042.done.t118.f2.a3599000      published: transcripts, failures, milliseconds of audio
        0000042.failed                     failed for good
    .quest22/round-0/index/0000.taken    shards without free units; 0000.closed: that have ended
    .quest22/round-1/units.json          the units that quest22 retry does again: its own round
    .quest22/hub/target.json             where on the Hub the transcripts are published
    .quest22/hub/leases/e1               who publishes them; e1.released: nobody any more
    .quest22/hub/round-0.published       all of a round is on the Hub, as its committer has seen it

Whoever reads ``data/**`` sees each unit once and whole. A listing of names tells the state of 500
units, what they hold included, in one request.
"""

from __future__ import annotations

from quest22.cluster.ledger import Counts, shard_of
from quest22.settings import RUN_FOLDER

PLAN = "plan.json"
DATA = "data"
HUB_TARGET = f"{RUN_FOLDER}/hub/target.json"
HUB_LEASES = f"{RUN_FOLDER}/hub/leases"


def shard_name(shard: int) -> str:
    """A shard as a folder."""
    return f"{shard:04d}"


def data_name(unit: int, suffix: str) -> str:
    """The published object of a unit, such as ``data/0000/part-0000042.jsonl``."""
    return f"{DATA}/{shard_name(shard_of(unit))}/part-{unit:07d}.{suffix}"


def units_folder(number: int, shard: int) -> str:
    """Where round ``number`` keeps the state of a shard's units."""
    return f"{RUN_FOLDER}/round-{number}/units/{shard_name(shard)}"


def index_folder(number: int) -> str:
    """Where round ``number`` keeps its index."""
    return f"{RUN_FOLDER}/round-{number}/index"


def round_name(number: int) -> str:
    """The object that says which units a later round is about."""
    return f"{RUN_FOLDER}/round-{number}/units.json"


def hub_published_name(number: int) -> str:
    """The object that says that everything up to round ``number`` is on the Hub."""
    return f"{RUN_FOLDER}/hub/round-{number}.published"


def unit_name(number: int, unit: int, state: str) -> str:
    """An object that says something about a unit: ``e1``, ``failed``, ``done…``."""
    return f"{units_folder(number, shard_of(unit))}/{unit:07d}.{state}"


def done_state(counts: Counts) -> str:
    """The state of a published unit."""
    return f"done.t{counts.transcripts}.f{counts.failures}.a{round(1000 * counts.audio_s)}"


def done_counts(state: str) -> Counts | None:
    """What :func:`done_state` said; None for any other state."""
    done, *parts = state.split(".")
    if done != "done" or [part[:1] for part in parts] != ["t", "f", "a"]:
        return None
    try:
        transcripts, failures, milliseconds = (int(part[1:]) for part in parts)
    except ValueError:
        return None
    return Counts(transcripts, failures, milliseconds / 1000)
