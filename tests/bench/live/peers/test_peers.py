import sys
from pathlib import Path

import pytest

from quest22.bench.live.peers import OURS, PEERS, peers_named
from quest22.errors import UsageError


def test_a_program_may_be_in_an_environment_of_its_own():
    here, there = peers_named("whisperlivekit, whisper.cpp=/opt/whisper-stream")
    assert (here.python, here.place) == (sys.executable, None)
    assert (there.python, there.place) == (sys.executable, "/opt/whisper-stream")
    (elsewhere,) = peers_named("whisperlivekit=/opt/env/bin/python")
    assert elsewhere.command()[0] == "/opt/env/bin/python"
    assert not peers_named("")


def test_an_unknown_program_is_refused():
    with pytest.raises(UsageError, match="unknown program 'vosk': expected whisperlivekit"):
        peers_named("vosk")


def test_every_worker_is_there():
    assert OURS.command() == [sys.executable, "-m", "quest22.bench.live.peers.ours"]
    for peer in PEERS.values():
        assert Path(peer.command()[1]).is_file()


def test_what_is_missing_is_named(tmp_path: Path):
    (program,) = peers_named(f"whisper.cpp={tmp_path / 'whisper-stream'}")
    assert program.missing() == [str(tmp_path / "whisper-stream")]
    (package,) = peers_named(f"whisperlivekit={sys.executable}")
    assert "whisperlivekit" in package.missing()
    (nowhere,) = peers_named(f"whisperlivekit={tmp_path / 'python'}")
    with pytest.raises(UsageError, match="python does not run"):
        nowhere.missing()
