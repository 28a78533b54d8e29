"""A short form of ``python -m tests.torture.reshards``, in a process of its own, as it forks."""

from __future__ import annotations

import pytest

from tests.support.torture_run import torture_output


@pytest.mark.slow
def test_shards_that_change_their_number_do_every_row_once() -> None:
    printed = torture_output("tests.torture.reshards", "2")
    assert printed.count("missing 0, too many 0") == 2
