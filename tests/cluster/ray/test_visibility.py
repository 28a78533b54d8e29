"""Which node keeps a folder's ledger, and which clusters are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from quest22.cluster.ray.session import Node
from quest22.cluster.ray.visibility import check_nodes, probed
from quest22.errors import UsageError
from quest22.version import __version__

A, B, C = (Node(name, f"10.0.0.{at}", 4) for at, name in enumerate("abc"))


class FakeSession:
    """A cluster whose nodes answer as they are told to."""

    def __init__(self, answers: dict, own_node: str | None = None) -> None:
        self.answers = answers
        self.own_node = own_node

    def on_each_node(self, function: object) -> dict:
        return self.answers


@pytest.mark.parametrize(
    ("seeing", "own", "keeper"),
    [("abc", "b", B), ("b", "b", B), ("ac", None, A), ("c", None, C), ("ac", "b", A)],
)
def test_the_node_that_keeps_the_ledger(
    tmp_path: Path, seeing: str, own: str | None, keeper: Node
) -> None:
    answers = {node: (__version__, node.id in seeing) for node in (A, B, C)}
    with probed(tmp_path) as shared:
        assert check_nodes(FakeSession(answers, own), shared) == keeper  # type: ignore[arg-type]


def test_a_folder_that_no_node_sees_is_refused(tmp_path: Path) -> None:
    session = FakeSession({A: (__version__, False)})
    with probed(tmp_path) as shared, pytest.raises(UsageError, match=r"sees .*s3://.*auto"):
        check_nodes(session, shared)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("version", "told"), [(None, "no quest22: install"), ("0.0.1", "quest22 0.0.1: install")]
)
def test_another_version_is_refused(version: str | None, told: str) -> None:
    session = FakeSession({A: (__version__, False), B: (version, False)})
    with pytest.raises(UsageError, match=f"node {B.address} has {told}"):
        check_nodes(session, None)  # type: ignore[arg-type]


def test_no_folder_needs_no_ledger_of_its_own() -> None:
    assert check_nodes(FakeSession({A: (__version__, False)}), None) is None  # type: ignore[arg-type]


def test_a_folder_is_recognised_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with probed(tmp_path / "store") as shared:
        assert shared.is_seen
        assert not shared._replace(folder=tmp_path / "copy").is_seen
    assert not shared.is_seen


def test_a_folder_that_cannot_be_written_into(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write into"), probed(tmp_path / "file" / "x"):
        pass
