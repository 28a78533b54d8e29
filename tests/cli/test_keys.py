"""``quest22 keys``."""

from __future__ import annotations

from pathlib import Path

import pytest

from quest22.cli.main import main
from quest22.server.access.keys import KeyRing


def test_keys_are_made_listed_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = ("--keys", str(tmp_path / "keys.json"))
    limits = ("--max-live", "2", "--audio-per-minute", "10m", "--max-audio", "1h")
    assert main(["keys", "add", "desk", *file, *limits]) == 0
    shown = capsys.readouterr()
    key = shown.out.strip()
    assert "not shown again" in shown.err
    found = KeyRing(tmp_path / "keys.json").find(key)
    assert found is not None
    assert (found[1].max_live, found[1].audio_s_per_minute) == (2, 600.0)
    assert main(["keys", "list", *file]) == 0
    listed = "desk  2 live sessions  600 s of sound a minute  3600 s a recording\n"
    assert capsys.readouterr().out == listed
    assert main(["keys", "remove", "desk", *file]) == 0
    assert main(["keys", "remove", "desk", *file]) == 2
    assert "has no key desk" in capsys.readouterr().err
