"""What a run that died has written beyond its mark goes."""

from __future__ import annotations

from pathlib import Path

from quest22.settings import OutputSettings
from quest22.sink.recovery import remove_unpublished


def test_captions_beyond_the_mark_go_and_no_others(tmp_path: Path) -> None:
    settings = OutputSettings(("srt",), tmp_path, journaled=True)
    published = b'{"stem": "a/one"}\n'
    settings.workspace.mkdir()
    names = settings.workspace / "names.jsonl"
    names.write_bytes(published + b'{"stem": "a/two"}\n{"stem": "th\0\0')  # a loss of power
    (tmp_path / "a").mkdir()
    for name in ("a/one.srt", "a/Two.srt", "a/two.json.partial", "two.srt", "a/three.srt"):
        (tmp_path / name).write_text("")
    remove_unpublished(settings, {"captions": {"bytes": len(published)}})
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.srt*")}
    assert left == {"a/one.srt", "two.srt", "a/three.srt"}
    assert not (tmp_path / "a" / "two.json.partial").exists()


def test_a_run_without_captions_has_none_to_remove(tmp_path: Path) -> None:
    remove_unpublished(OutputSettings(("jsonl",), tmp_path, journaled=True), {})
    assert not list(tmp_path.iterdir())
