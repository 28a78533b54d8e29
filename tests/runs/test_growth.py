"""A run that is to take more rows than it was begun with."""

from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.runs.run_status import status
from tests.runs.dying import DyingDigestPipeline
from tests.torture.kills import differences, outputs
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, RunSpec


@pytest.mark.parametrize("take", [14, None])
@pytest.mark.parametrize("load", [DigestPipeline, DyingDigestPipeline], ids=["finished", "stopped"])
@pytest.mark.parametrize("order", [{}, {"shuffle": True, "buffer_size": 4}], ids=["", "shuffled"])
def test_the_rest_follows(tmp_path, take, load, order):
    write_rows(tmp_path / "data", 15)
    spec = RunSpec(tmp_path / "data", tmp_path / "out", load=load, dataset={"take": 9, **order})
    if load is DigestPipeline:
        assert spec.run().finished
    else:
        with pytest.raises(KeyboardInterrupt):
            spec.run()
    more = {"take": take, **order}
    for folder in ("out", "whole"):
        run = RunSpec(tmp_path / "data", tmp_path / folder, load=DigestPipeline, dataset=more)
        summary = run.run()
    assert summary.transcripts + summary.failures == (take or 15)
    assert differences(outputs(tmp_path / "whole"), outputs(tmp_path / "out")) == []
    assert status(tmp_path / "out").plan["take"] == take


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"take": 3}, "dataset.take was 9 and is 3"), ({"take": 10, "skip": 1}, "dataset.skip was 0")],
)
def test_other_numbers_are_refused(tmp_path, changes, told):
    write_rows(tmp_path / "data", 15)
    spec = RunSpec(tmp_path / "data", tmp_path / "out", load=DigestPipeline, dataset={"take": 9})
    spec.run()
    before = outputs(tmp_path / "out")
    with pytest.raises(UsageError, match=told):
        RunSpec(tmp_path / "data", tmp_path / "out", load=DigestPipeline, dataset=changes).run()
    assert outputs(tmp_path / "out") == before
    assert status(tmp_path / "out").state == "finished"
