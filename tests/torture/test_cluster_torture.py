"""A short form of ``python -m tests.torture.cluster``, in a process of its own, as it forks."""

from __future__ import annotations

import pytest

from tests.support.torture_run import torture_output


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [["--format", "parquet"], pytest.param(["--moto"], marks=pytest.mark.long)]
)
def test_killed_and_frozen_workers_leave_what_an_undisturbed_one_leaves(options: list[str]) -> None:
    arguments = ["--rows", "45", "--storm", "4", *options]
    printed = torture_output("tests.torture.cluster", *arguments)
    assert printed.count("same bytes") == 17
