"""Checks and times the GPU engine, and other programs beside it, in a quarter of an hour.

    python -m benchmarks.gpu [--out build/gpu] [--minutes 14] [--only checks,turbo]
    python -m benchmarks.gpu --rehearse     the same at toy sizes on the CPU

Every phase is a process of its own with a limit of time: one that fails, hangs or is killed costs
its own figures, and the next one runs. Figures are in ``figures.jsonl`` as soon as they are known;
``report.md`` is written anew after each phase. Needs torch, numpy, safetensors and tokenizers;
other programs are measured if they are installed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import monotonic

from benchmarks.gpu import figures
from benchmarks.gpu.figures import Figure, Recorder

HOME = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Phase:
    """A function of ``benchmarks.gpu``, and how many seconds it may take."""

    where: str
    limit_s: float


REHEARSAL_FACTOR = 10
"""A busy machine with few cores takes that much longer to load PyTorch."""

PHASES: Mapping[str, Phase] = {
    "machine": Phase("ceilings.machine", 40),
    "ceilings": Phase("ceilings.ceilings", 50),
    "cross-attention": Phase("ceilings.cross_attention", 60),
    "checks": Phase("checks.checks", 90),
    "turbo": Phase("speed.turbo", 150),
    "drafts": Phase("speed.drafts", 60),
    "transformers": Phase("peers.transformers", 90),
    "faster-whisper": Phase("peers.faster_whisper", 70),
    "large": Phase("speed.large", 130),
    "tiny": Phase("speed.tiny", 60),
    "cold start": Phase("speed.cold_start", 60),
}


def main() -> int:
    """Run all phases and print the report, or run one phase in this process."""
    given = _arguments().parse_args()
    if given.phase:
        return _run_here(given.phase, given)
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        models = given.models or Path(folder)
        command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(given.out)]
        command += ["--models", str(models), *(["--rehearse"] if given.rehearse else [])]
        names = [name for name in PHASES if not given.only or name in given.only.split(",")]
        run_phases(command, names, given.out, 60 * given.minutes)
    sys.stdout.write((given.out / "report.md").read_text(encoding="utf-8"))
    return 0


def run_phases(command: Sequence[str], names: Sequence[str], out: Path, budget_s: float) -> None:
    """Run phases one after the other, within a time for all; none can end the others."""
    rehearsed = "--rehearse" in command
    lines, ends_s = out / "figures.jsonl", monotonic() + budget_s
    lines.unlink(missing_ok=True)
    for name in names:
        left_s = ends_s - monotonic()
        limit_s = min(PHASES[name].limit_s * (REHEARSAL_FACTOR if rehearsed else 1), left_s)
        begun_s = monotonic()
        enough = left_s > 1
        state = run_phase([*command, "--phase", name], limit_s) if enough else "no time was left"
        figures.append(lines, Figure(name, "(whole phase)", monotonic() - begun_s, "s", state))
        report = out / "report.md"
        report.write_text(figures.table(figures.read(lines)), encoding="utf-8")


def run_phase(command: Sequence[str], limit_s: float) -> str:
    """Run a process, and end it and its children after its time; what came of it, in a line."""
    process = subprocess.Popen(  # noqa: S603
        command,
        cwd=HOME,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"ended after {limit_s:.0f} s: what was found till then counts"
    if process.returncode == 0:
        return "done"
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    return f"FAILED ({process.returncode}): {last[:200]}"


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _run_here(name: str, given: argparse.Namespace) -> int:
    """A phase, in this process."""
    from benchmarks.gpu.sizes import FULL, REHEARSAL

    module, function = PHASES[name].where.split(".")
    sizes = REHEARSAL if given.rehearse else FULL
    try:
        phase = getattr(import_module(f"benchmarks.gpu.{module}"), function)
        phase(Recorder(given.out / "figures.jsonl", name), sizes, given.models)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"), help="where figures go")
    parser.add_argument("--models", type=Path, help="where models are made, and found again")
    parser.add_argument("--minutes", type=float, default=14, help="for all phases together")
    parser.add_argument("--only", default="", help="phases, with commas between")
    parser.add_argument("--rehearse", action="store_true", help="toy sizes on the CPU")
    parser.add_argument("--phase", choices=list(PHASES), help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
