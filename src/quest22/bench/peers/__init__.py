"""The programs to compare: quest22, and others if they are installed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from quest22.errors import UsageError

Configuration = tuple[str, int | None]
"""A compute type, by the program's own name, and a batch size."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A program: its name, the module that runs it, and the packages it needs.

    The fastest of its ``configurations`` is measured.
    """

    name: str
    module: str
    packages: tuple[str, ...] = ()
    configurations: tuple[Configuration, ...] = (("auto", None),)

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(package for package in self.packages if find_spec(package) is None)


OURS = Peer("quest22", "quest22.bench.peers.ours")
SCRIPT = Peer(
    "script", "quest22.bench.peers.script", ("transformers", "torch"), (("float32", None),)
)
"""The script that everyone writes first: Transformers' pipeline, called clip by clip."""

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "faster-whisper",
            "quest22.bench.peers.faster_whisper",
            ("faster_whisper", "transformers", "torch"),
            (("int8", 8), ("int8", 16), ("float32", 8)),
        ),
        Peer(
            "transformers",
            "quest22.bench.peers.transformers_pipeline",
            ("transformers", "torch"),
            (("bfloat16", 8), ("float32", 8)),
        ),
        Peer(
            "openvino-genai",
            "quest22.bench.peers.openvino_genai",
            ("openvino_genai",),
            (("bfloat16", None), ("float32", None)),
        ),
        Peer(
            "whisper.cpp",
            "quest22.bench.peers.whisper_cpp",
            ("pywhispercpp",),
            (("float16", None),),
        ),
    )
}


def peers_named(names: str) -> list[Peer]:
    """Peers from ``a,b``; raises :class:`UsageError` for one that does not exist."""
    requested = [name.strip() for name in names.split(",") if name.strip()]
    for name in requested:
        if name not in PEERS:
            known = ", ".join(PEERS)
            raise UsageError(f"unknown program {name!r}: expected {known}, separated by commas")
    return [PEERS[name] for name in dict.fromkeys(requested)]
