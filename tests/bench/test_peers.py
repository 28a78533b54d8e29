from __future__ import annotations

import pytest

from quest22.bench.peers import OURS, PEERS, Peer, peers_named
from quest22.errors import UsageError

ABSENT = Peer("absent", "quest22.bench.peers.absent", ("no_such_package",))


def test_peers_by_name() -> None:
    assert [peer.name for peer in peers_named("whisper.cpp, transformers,")] == [
        "whisper.cpp",
        "transformers",
    ]
    assert peers_named("") == []
    assert set(PEERS) == {"faster-whisper", "transformers", "openvino-genai", "whisper.cpp"}
    with pytest.raises(UsageError, match="unknown program 'vosk': expected faster-whisper"):
        peers_named("vosk")


def test_what_is_not_installed_is_missing() -> None:
    assert ABSENT.missing == ("no_such_package",)
    assert OURS.missing == ()
