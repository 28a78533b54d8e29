from __future__ import annotations

import pytest

from quest22.cli import demo
from quest22.cli.demo import count_rows, sample_files
from quest22.cli.exits import Exit
from quest22.errors import SourceError


def test_the_samples_are_there():
    files = sample_files()
    assert count_rows(files) >= 10


def test_an_installation_without_samples(monkeypatch, tmp_path):
    monkeypatch.setattr(demo.resources, "files", lambda _: tmp_path)
    with pytest.raises(SourceError, match="reinstall quest22"):
        sample_files()


@pytest.mark.slow
def test_the_whole_demo(run, model):
    ended = run("demo", "-m", model, "--take", 3)
    assert ended.code == Exit.DONE
    assert "streaming 3 clips" in ended.out
    assert ended.out.count("  said  ") == ended.out.count("  heard ") == 3
    for part in ("3 clips · ", "word error rate", "range requests", "where the time went"):
        assert part in ended.out
    assert ended.err.startswith("quest22: ")
