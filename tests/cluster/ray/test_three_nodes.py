"""The command on three Ray nodes: the bytes of one worker alone, whoever is killed on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from quest22.cli.exits import Exit
from tests.cluster.ray.conftest import (
    Corpus,
    Driver,
    ThreeNodes,
    attempts,
    pids_of,
    published,
    wait_until,
)

pytestmark = pytest.mark.slow

Drive = Callable[..., Driver]


def test_the_bytes_are_those_of_one_worker(corpus: Corpus, drive: Drive, tmp_path: Path) -> None:
    driver = drive(tmp_path)
    code, told = driver.ended()
    assert code == Exit.DONE, told
    assert published(tmp_path) == corpus.files
    assert f"done: {len(corpus.files)} of {len(corpus.files)} units" in told
    code, told = drive(tmp_path).ended()
    assert (code, "continuing the plan" in told) == (Exit.DONE, True)
    assert not list(tmp_path.glob(".quest22/probe-*"))


@pytest.mark.long
def test_the_command_is_on_no_node(
    corpus: Corpus, drive: Drive, three_nodes: ThreeNodes, tmp_path: Path
) -> None:
    driver = drive(tmp_path, cluster=f"ray://127.0.0.1:{three_nodes.client_port}")
    code, told = driver.ended()
    if "Initialization failure from server" in told:
        assert code == Exit.USAGE, told
        pytest.skip("Ray's client server did not start a server for the command")
    assert code == Exit.DONE, told
    assert published(tmp_path) == corpus.files


def test_the_driver_is_killed(corpus: Corpus, drive: Drive, tmp_path: Path) -> None:
    first = drive(tmp_path)
    first.wait_for_units(2)
    first.kill()
    wait_until(lambda: not pids_of("ray::WorkerActor"), 30)
    before = published(tmp_path)
    code, told = drive(tmp_path).ended()
    assert code == Exit.DONE, told
    assert published(tmp_path) == corpus.files
    assert before.items() <= corpus.files.items()
    assert attempts(tmp_path) <= len(corpus.files) + 3  # three workers died with it


@pytest.mark.parametrize(
    ("leave", "again"),
    [
        pytest.param(ThreeNodes.kill_one, 1, id="killed"),
        pytest.param(ThreeNodes.drain_one, 0, id="drained"),  # as a spot machine with notice
    ],
)
@pytest.mark.long
def test_a_node_leaves(
    corpus: Corpus,
    drive: Drive,
    three_nodes: ThreeNodes,
    tmp_path: Path,
    leave: Callable[[ThreeNodes], None],
    again: int,
) -> None:
    driver = drive(tmp_path)
    driver.wait_for_units(2)
    leave(three_nodes)
    try:
        code, told = driver.ended()
    finally:
        three_nodes.add()
    assert code == Exit.DONE, told
    assert published(tmp_path) == corpus.files
    assert len(corpus.files) <= attempts(tmp_path) <= len(corpus.files) + again


@pytest.mark.long
def test_a_worker_told_to_end_gives_its_unit_back(
    corpus: Corpus, drive: Drive, tmp_path: Path
) -> None:
    driver = drive(tmp_path)
    driver.wait_for_units(2)
    os.kill(pids_of("ray::WorkerActor")[0], signal.SIGTERM)
    code, told = driver.ended()
    assert code == Exit.DONE, told
    assert published(tmp_path) == corpus.files
    assert attempts(tmp_path) == len(corpus.files)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_driver_is_told_to_end(
    corpus: Corpus, drive: Drive, tmp_path: Path, number: int
) -> None:
    driver = drive(tmp_path)
    driver.wait_for_units(2)
    driver.process.send_signal(number)
    code, told = driver.ended(within_s=40)
    assert code == Exit.INTERRUPTED, told
    assert "repeat the command" in told
    assert attempts(tmp_path) == len(published(tmp_path))  # the rest was given back
    assert not pids_of("ray::WorkerActor")
