from __future__ import annotations

import re
from pathlib import Path

import pytest

from quest22.source import limits

DOCUMENT = Path(__file__).parents[2] / "docs" / "streaming.md"


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not there")
def test_the_table_of_limits_names_every_constant() -> None:
    constants = {name for name in vars(limits) if name.startswith(("MAX_", "MIN_"))}
    documented = set(re.findall(r"`((?:MAX|MIN)_\w+)`", DOCUMENT.read_text()))
    assert constants - documented <= {"MIN_RATIO_BYTES"}
    assert documented <= constants
