"""The same tokens where the processor has less: AVX2 alone, as oneDNN's kernels are told.

With OpenVINO alone, and with the native library for AVX2.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from quest22.records import DecodingOptions
from tests.engine.conftest import OpenCheckpoint, OpenEngine
from tests.support.windows import windows

TOKENS = 12

HEARER = f"""
import json, sys
from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import load
from quest22.engine.build import build_engine
from quest22.metrics import Metrics
from quest22.records import DecodingOptions
from quest22.settings import EngineSettings
from tests.support.windows import windows

settings = EngineSettings(compute_type="float32", batch_size=2)
engine = build_engine(load(sys.argv[1]), LogMel(80), settings, Metrics())
asked = windows(*[DecodingOptions("en", max_new_tokens={TOKENS})] * 2)
print(json.dumps([found.tokens for found in engine.run(asked)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("native", ["off", "avx2"])
def test_avx2_hears_what_avx512_hears(
    checkpoint: OpenCheckpoint, engine: OpenEngine, native: str
) -> None:
    folder = str(checkpoint("small-test").folder)
    made = subprocess.run(
        [sys.executable, "-c", HEARER, folder],
        env=os.environ
        | {"ONEDNN_MAX_CPU_ISA": "AVX2", "QUEST22_NATIVE": native, "QUEST22_GRAPH_CACHE_MB": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [tuple(tokens) for tokens in json.loads(made.stdout)]
    asked = windows(*[DecodingOptions("en", max_new_tokens=TOKENS)] * 2)
    assert [len(tokens) for tokens in found] == [TOKENS, TOKENS]
    assert found == [heard.tokens for heard in engine("small-test").run(asked)]
