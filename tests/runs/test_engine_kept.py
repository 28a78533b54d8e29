"""A run goes on with the engine that it began with, which its journal notes."""

from __future__ import annotations

import json

import pytest

from quest22.errors import UsageError
from quest22.runs.journal import JOURNAL
from quest22.runs.run_status import run_status
from quest22.runs.store import LocalRunStore
from tests.runs.dying import DyingDigestPipeline
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, RunSpec


class OnOpenVino(DigestPipeline):
    """Another engine of the CPU, which keeps the settings that it was opened with."""

    given = None

    def __init__(self, settings, metrics):
        super().__init__(settings, metrics)
        type(self).given = settings.engine
        self.engine_name = "openvino"


class OnGpu(DigestPipeline):
    """What a machine with a GPU would open."""

    def __init__(self, settings, metrics):
        super().__init__(settings, metrics)
        self.engine_name, self.device = "torch", "cuda"


@pytest.fixture
def interrupted(tmp_path):
    """The specification of a run that an engine of the CPU began."""
    write_rows(tmp_path / "data", 15)
    spec = RunSpec(tmp_path / "data", tmp_path / "out", load=DyingDigestPipeline)
    with pytest.raises(KeyboardInterrupt):
        spec.run()
    return spec


def goes_on(spec, load, **changes):
    return RunSpec(spec.data, spec.folder, load=load, **changes).run()


def test_a_gpu_that_has_come_is_not_used_and_would_be_refused(interrupted):
    plan = run_status(LocalRunStore(interrupted.folder)).plan
    assert (plan["engine"], plan["device"]) == ("native", "cpu")
    refusal = r"model\.device was 'cpu' and is 'cuda'; model\.engine was 'native or openvino'"
    with pytest.raises(UsageError, match=refusal):
        goes_on(interrupted, OnGpu)
    with pytest.raises(UsageError, match=refusal):
        goes_on(interrupted, OnGpu, retry=True)
    assert goes_on(interrupted, OnOpenVino).finished
    assert (OnOpenVino.given.engine, OnOpenVino.given.device) == ("auto", "cpu")


def test_a_journal_that_does_not_note_it_goes_on_with_any(interrupted):
    path = interrupted.folder / JOURNAL
    record = json.loads(path.read_text(encoding="utf-8"))
    for name in ("engine", "device"):
        del record["plan"]["model"][name]
    path.write_text(json.dumps(record), encoding="utf-8")
    assert goes_on(interrupted, OnGpu).finished
    assert goes_on(interrupted, DigestPipeline, retry=True).failures == 3
