"""``quest22 models rm`` asks first; what is deleted is tested with the function that deletes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from quest22.cli.exits import Exit
from quest22.cli.models.names import complete_cached, complete_known


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def snapshot(caches, model):
    return caches.add_to_hub("openai/whisper-tiny", Path(model))


def test_without_a_terminal_yes_is_to_be_said(run, snapshot):
    ended = run("models", "rm", "tiny")
    assert ended.code == Exit.USAGE
    assert "asks before it deletes: expected a terminal, or --yes" in ended.err
    assert snapshot.is_dir()
    ended = run("models", "rm", "-y", "tiny", "openai/whisper-tiny")
    assert ended.code == Exit.DONE
    assert ended.err.count("deleted openai/whisper-tiny, ") == 1
    assert not snapshot.exists()


@pytest.mark.parametrize(
    ("answer", "code", "kept"),
    [
        ("\n", Exit.NOTHING_DONE, True),
        ("n\n", Exit.NOTHING_DONE, True),
        ("", Exit.NOTHING_DONE, True),
        ("y\n", Exit.DONE, False),
        ("YES\n", Exit.DONE, False),
    ],
)
def test_a_person_is_asked(run, snapshot, monkeypatch, answer, code, kept):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    ended = run("models", "rm", "tiny")
    assert ended.code == code
    assert f"openai/whisper-tiny, {ended.err.split('free ')[1].split('?')[0]} in " in ended.err
    assert snapshot.exists() is kept
    assert ("nothing was deleted" in ended.err) is kept


def test_nothing_is_deleted_if_one_name_is_wrong(run, snapshot, model):
    ended = run("models", "rm", "--yes", "tiny", model)
    assert (ended.code, snapshot.is_dir()) == (Exit.USAGE, True)
    assert "is in no cache" in ended.err


def test_names_are_completed(snapshot):
    assert complete_known("large-v3") == ["large-v3", "large-v3-turbo"]
    assert complete_cached("t") == ["tiny"]
    assert complete_cached("b") == []
