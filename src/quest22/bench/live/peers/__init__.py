"""The programs to compare: quest22, and others, each in the environment it is installed in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from quest22.errors import UsageError

_MISSING = """
import sys
from importlib.util import find_spec
print(*(name for name in sys.argv[1:] if find_spec(name) is None))
"""


@dataclass(frozen=True, slots=True)
class LivePeer:
    """A program: its worker, a module of ours or a script, and the packages it needs.

    ``policy`` is passed to the worker, which may have several. ``weights`` are the forms in which
    it reads a model: ``ctranslate2``, ``transformers`` or ``ggml``. ``place`` is the interpreter of
    the environment that has the packages, or the ``program`` itself.
    """

    name: str
    worker: str
    packages: tuple[str, ...] = ()
    policy: str = ""
    weights: tuple[str, ...] = ()
    program: str | None = None
    place: str | None = None

    @property
    def python(self) -> str:
        """What runs the worker."""
        return sys.executable if self.program else self.place or sys.executable

    def command(self) -> list[str]:
        """Starts the worker."""
        if self.worker.endswith(".py"):
            return [self.python, str(Path(__file__).with_name(self.worker))]
        return [self.python, "-m", self.worker]

    @property
    def executable(self) -> str | None:
        """Where the program is."""
        return shutil.which(self.place or self.program) if self.program else None

    def missing(self) -> list[str]:
        """Packages that its environment lacks, or the program that is not there."""
        if self.program:
            return [] if self.executable else [self.place or self.program]
        command = [self.python, "-c", _MISSING, *self.packages]
        try:
            found = subprocess.run(  # noqa: S603 -- the interpreter that the user named
                command, capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError) as exc:
            raise UsageError(f"{self.python} does not run: expected a Python interpreter") from exc
        return found.stdout.split()


OURS = LivePeer("quest22", "quest22.bench.live.peers.ours")

PEERS = {
    peer.name: peer
    for peer in (
        LivePeer(
            "whisperlivekit",
            "whisperlivekit_worker.py",
            ("whisperlivekit", "faster_whisper"),
            "localagreement",
            ("ctranslate2",),
        ),
        LivePeer(
            "whisperlivekit-alignatt",
            "whisperlivekit_worker.py",
            ("whisperlivekit", "faster_whisper", "safetensors"),
            "simulstreaming",
            ("both",),
        ),
        LivePeer(
            "whisper_streaming",
            "online_worker.py",
            ("whisper_online", "faster_whisper", "silero_vad"),
            "local-agreement",
            ("ctranslate2",),
        ),
        LivePeer(
            "SimulStreaming",
            "online_worker.py",
            ("simulstreaming_whisper", "silero_vad", "safetensors"),
            "alignatt",
            ("openai",),
        ),
        LivePeer(
            "whisper.cpp",
            "whisper_cpp_worker.py",
            policy="500/5000",
            weights=("ggml",),
            program="whisper-stream",
        ),
        LivePeer(
            "whisper.cpp-slow",
            "whisper_cpp_worker.py",
            policy="3000/10000",
            weights=("ggml",),
            program="whisper-stream",
        ),
    )
}


def peers_named(names: str) -> list[LivePeer]:
    """Peers from ``a,b=place``; raises :class:`UsageError` for one that does not exist.

    After ``=`` may stand where it is: the interpreter of its environment, or the program.
    """
    found = []
    for each in names.split(","):
        name, _, place = each.strip().partition("=")
        if not name:
            continue
        if name not in PEERS:
            known = ", ".join(PEERS)
            raise UsageError(f"unknown program {name!r}: expected {known}, separated by commas")
        found.append(replace(PEERS[name], place=place) if place else PEERS[name])
    return found
