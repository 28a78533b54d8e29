"""A short form of ``make torture``, in a process of its own, as it forks."""

from __future__ import annotations

import pytest

from tests.support.torture_run import torture_output


@pytest.mark.slow
def test_killed_runs_leave_what_an_undisturbed_one_leaves() -> None:
    arguments = ["--rows", "15", "--kills", "6", "--storms", "4", "--edits", "8", "--steps", "40"]
    printed = torture_output("tests.torture", *arguments)
    assert printed.count("same bytes") == 6


@pytest.mark.long
@pytest.mark.slow
def test_hostile_sources_lose_no_row() -> None:
    printed = torture_output("tests.torture.hostile", "6")
    assert "same bytes" in printed
