from __future__ import annotations

import sys

import pytest

from quest22.bench import startup
from quest22.errors import Quest22Error


def test_the_time_is_that_to_the_first_byte(tmp_path):
    code = "import time; print('x', flush=True); time.sleep(0.5)"
    assert startup._timed([sys.executable, "-S", "-c", code], tmp_path) > 0


def test_a_command_that_fails_is_an_error(tmp_path):
    with pytest.raises(Quest22Error, match="failed: see above"):
        startup._timed([sys.executable, "-S", "-c", "raise SystemExit(1)"], tmp_path)
