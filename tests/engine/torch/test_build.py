from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import torch

from quest22.engine.torch import build
from quest22.engine.torch.backend import TorchBackend
from quest22.engine.torch.device import Placement
from quest22.errors import EngineError
from quest22.settings import EngineSettings
from tests.engine.conftest import OpenCheckpoint

CUDA = Placement(torch.device("cuda", 0), torch.bfloat16)


def test_it_is_told_what_runs_where(
    checkpoint: OpenCheckpoint, caplog: pytest.LogCaptureFixture
) -> None:
    settings = EngineSettings(engine="torch", device="cpu", batch_size=3, threads=1)
    with caplog.at_level(logging.INFO, "quest22"):
        backend = build.open_torch_backend(checkpoint("small-test"), settings)
    assert (backend.name, backend.compute_type, backend.batch_size) == ("torch", "float32", 3)
    (told,) = caplog.messages
    assert told.startswith(
        f"engine torch: PyTorch {torch.__version__} on the CPU; float32, 3 windo"
    )
    assert told.endswith("3 windows per batch, 3 of them at once")


@pytest.mark.parametrize(
    ("threads", "quota", "expected"), [(2, 1, 2), (None, 1, 1), (None, None, 3)]
)
def test_threads_on_the_cpu(
    checkpoint: OpenCheckpoint,
    monkeypatch: pytest.MonkeyPatch,
    threads: int | None,
    quota: int | None,
    expected: int,
) -> None:
    """PyTorch would take no notice of a container's quota."""
    monkeypatch.delenv("QUEST22_THREADS", raising=False)
    monkeypatch.setattr(build, "quota_cores", lambda: quota)
    settings = EngineSettings(engine="torch", device="cpu", batch_size=1, threads=threads)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        build.open_torch_backend(checkpoint("small-test"), settings)
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("free_gb", "batch_size", "expected"),
    [
        (1000, None, (512, 256, 128)),
        (0.09, None, (128, 64, 32)),
        (0.01, None, (12, 6, 3)),
        (0.01, 12, (12, 6, 3)),
        (0.002, None, (4, 2, 1)),
        (1000, 5, (5, 5, 5)),
        (1000, 300, (300, 256, 128)),
    ],
)
def test_batches_fit_the_memory(
    checkpoint: OpenCheckpoint,
    monkeypatch: pytest.MonkeyPatch,
    free_gb: float,
    batch_size: int | None,
    expected: tuple[int, int, int],
) -> None:
    """Windows in a batch, held at once, and decoded at once.

    A run that goes on with the number of the first one finds the same shape.
    """
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(free_gb * 1e9), int(80e9)))
    dims = checkpoint("small-test").dimensions
    shape = build.choose_shape(dims, CUDA, batch_size)
    batch = build.choose_batch(shape, CUDA, batch_size)
    assert (batch, shape.windows, shape.rows) == expected
    window, row = build.cache_bytes(dims, CUDA)
    assert (window, row) == (2 * 2 * 64 * 1500 * 2, 2 * 2 * 64 * 448 * 2)


def test_too_little_memory_is_told_in_one_line(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crowded(*_: object) -> TorchBackend:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nMore.")

    monkeypatch.setattr(build, "TorchBackend", crowded)
    settings = EngineSettings(engine="torch", device="cpu", batch_size=1)
    with pytest.raises(EngineError, match="does not run on cpu: there is not enough memory"):
        build.open_torch_backend(checkpoint("small-test"), settings)


ALONE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

ALLOWED = sys.stdlib_module_names | {
    "quest22", "torch", "numpy", "safetensors", "tokenizers",
    # what PyTorch itself needs
    "torchgen", "functorch", "typing_extensions", "sympy", "mpmath", "networkx", "jinja2",
    "markupsafe", "filelock", "setuptools",
}
sys.meta_path.insert(0, Blocked())
import importlib, pkgutil
import numpy as np
import quest22.engine.torch

for each in pkgutil.iter_modules(quest22.engine.torch.__path__, "quest22.engine.torch."):
    if not each.name.endswith("_kernel"):  # of Triton, imported where that is
        importlib.import_module(each.name)

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import load
from quest22.engine.build import build_engine
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Window
from quest22.settings import EngineSettings

checkpoint = load(sys.argv[1])
sound = np.sin(np.arange(16000) * 0.05).astype(np.float32)
for compute_type in ("float32", "int4", "fp8_encoder"):
    settings = EngineSettings(
        engine="torch", device="cpu", compute_type=compute_type, batch_size=2, threads=1
    )
    engine = build_engine(checkpoint, LogMel(80, 1), settings, Metrics())
    asked = DecodingOptions("en", max_new_tokens=4, words=True)
    (heard,) = engine.run([Window(sound, 0.0, asked)])
    assert len(heard.tokens) == 4
print("heard")
"""


def test_it_needs_none_of_the_cpu_engines_libraries(checkpoint: OpenCheckpoint) -> None:
    """A machine with a GPU may have torch, numpy, safetensors and tokenizers alone."""
    made = subprocess.run(
        [sys.executable, "-c", ALONE, str(checkpoint("small-test").folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.stdout == "heard\n", made.stderr
