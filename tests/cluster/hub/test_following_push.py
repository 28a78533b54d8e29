"""A committer beside the workers of its process, on the Hub's stand-in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from quest22.cluster.hub import files as hub_files
from quest22.cluster.hub.following_push import FollowingPush
from quest22.cluster.hub.lease import CommitterLease
from quest22.cluster.hub.target import PublishTarget
from quest22.cluster.layout import HUB_LEASES
from quest22.errors import SinkError
from quest22.runs.events import ClusterNote, ClusterPublished, RunEvent
from quest22.settings import HubSettings
from quest22.sink.hub.hub_repository import HubRepository
from tests.support.cluster_corpus import QUICK, Corpus, open_dataset, published_ids
from tests.support.hub import Fault, Hub

UNITS = 5
IDS = [f"{unit}-{number}" for unit in range(UNITS) for number in range(2)]
TICK = ClusterNote("a worker is at work")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the Hub's own client


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the stand-in does not speak it
    monkeypatch.setattr(hub_files, "FILE_UNITS", (2,))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        open_dataset(running)
        yield running


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path, UNITS)


def following(corpus: Corpus, hub: Hub, every_s: float = 0.05) -> FollowingPush:
    repository = HubRepository(HfApi(endpoint=hub.endpoint, token="hf_w"), "org/out", QUICK)
    settings = HubSettings("org/out", commit_seconds=every_s)
    return FollowingPush(corpus.store, PublishTarget("org/out"), repository, settings, pace_s=0.0)


def published(events: list[RunEvent]) -> list[ClusterPublished]:
    return [each for each in events if isinstance(each, ClusterPublished)]


def transcripts(events: list[RunEvent]) -> int:
    return max((each.transcripts for each in published(events)), default=0)


def until(is_so: Callable[[], bool]) -> None:
    last = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < last
        time.sleep(0.01)


def test_units_are_published_while_others_are_transcribed(corpus: Corpus, hub: Hub) -> None:
    events: list[RunEvent] = []
    with following(corpus, hub) as push:
        tell = push.telling(events.append)
        for unit in range(2):
            corpus.publish(unit)
        until(lambda: tell(TICK) or transcripts(events) == 4)  # in one commit or two
        assert published_ids(hub) == IDS[:4]
        for unit in range(2, UNITS):
            corpus.publish(unit)
        push.finish(events.append)
    assert published_ids(hub) == IDS
    last = published(events)[-1]
    assert (last.units, last.planned, last.transcripts, last.finished) == (5, 5, 10, True)
    assert last.url.endswith("/datasets/org/out")


def test_what_is_done_at_once_is_published_at_the_end(corpus: Corpus, hub: Hub) -> None:
    events: list[RunEvent] = []
    with following(corpus, hub, every_s=3600.0) as push:
        for unit in range(UNITS):
            corpus.publish(unit)
        push.finish(events.append)
    assert published_ids(hub) == IDS
    assert published(events)[-1].finished


def test_a_hub_that_refuses_stops_no_worker_and_is_told(corpus: Corpus, hub: Hub) -> None:
    events: list[RunEvent] = []
    with following(corpus, hub) as push:
        hub.faults.append(Fault("/commit/main", status=403, times=1000))
        tell = push.telling(events.append)
        corpus.publish(0)
        corpus.publish(1)
        until(lambda: tell(TICK) or any(each is not TICK for each in events))
        told = next(each for each in events if each is not TICK)
        assert isinstance(told, ClusterNote)
        assert "nothing more is published on the Hub" in told.text
        with pytest.raises(SinkError, match=r"quest22 push .*store"):
            push.finish(events.append)


def test_an_interrupted_run_leaves_the_lease_to_the_next(corpus: Corpus, hub: Hub) -> None:
    with following(corpus, hub, every_s=3600.0):
        until(lambda: bool(list(corpus.store.listing(HUB_LEASES))))
        assert not CommitterLease(corpus.store, "other").acquire()
    assert CommitterLease(corpus.store, "next").acquire()


def test_a_dataset_with_other_content_is_refused_before_work_begins(
    corpus: Corpus, hub: Hub
) -> None:
    hub.add_dataset("org/full", {"other.txt": b"x"})
    repository = HubRepository(HfApi(endpoint=hub.endpoint, token="hf_w"), "org/full", QUICK)
    with pytest.raises(SinkError, match="other files"):
        FollowingPush(corpus.store, PublishTarget("org/full"), repository, HubSettings("org/full"))
