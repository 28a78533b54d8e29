"""``python -m tests.torture.hostile 50``: tars from a server that answers oddly, and kills.

Each run reads three tars. Any request may be answered in an odd way, one tar may be half uploaded,
and the run is killed now and then. It is repeated, or retried, until it says that it is complete:
then its outputs must be those of an undisturbed run, and not before.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

os.environ["USE_TORCH"] = "0"  # datasets would import it, which takes longer than a run

from quest22.cli.exits import Exit
from quest22.cli.output_flags import ReportFlags
from quest22.runs import journal
from quest22.runs.run_status import status
from quest22.source.io.retry import NetworkSettings, RetryingClient
from tests.support import corpora
from tests.support.hostile_server import PASSING, HostileServer
from tests.torture.kills import Outcome, Whole, outputs
from tests.torture.nursery import bring_up, ended, forked, killed_after
from tests.torture.worker import DigestPipeline, RunSpec

ROWS, TARS = 36, 3
MOST_LIVES = 60
KINDS = [name for name in PASSING if "endless" not in name and name not in ("404", "410", "page")]


class Server:
    """A :class:`HostileServer` in a process of its own, as the runs are forked from this one."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.hostile", "--serve", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def be_odd(self, odd: dict[int, str]) -> None:
        """Answer these requests, counted from now on, oddly."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(odd) + "\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def serve(folder: Path) -> None:
    with HostileServer(folder) as server:
        print(server.url, flush=True)
        for line in sys.stdin:
            server.count = 0
            server.odd = {int(number): name for number, name in json.loads(line).items()}
            print("odd", flush=True)


def _hasty(bounds: object, metrics: object) -> RetryingClient:
    settings = NetworkSettings(
        retry_timeout_s=0.05,
        unknown_host_timeout_s=0.05,
        first_delay_s=0.01,
        max_delay_s=0.02,
        max_retry_after_s=0.02,
        read_timeout_s=1.0,
        range_bytes=32 << 10,
    )
    return RetryingClient(settings, metrics)  # type: ignore[arg-type]


def perform(spec: RunSpec) -> int:
    """A run, or a retry, in this process; its exit code."""
    journal.COMMIT_SECONDS = spec.commit_s
    os.fsync = lambda _: None
    try:
        return int(spec.command(ReportFlags(quiet=True)))
    except Exception:  # what the command line makes of errors
        return int(Exit.NOTHING_DONE)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.hostile")
    parser.add_argument("runs", type=int, nargs="?", default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", type=Path)
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.serve)
        return 0
    bring_up()
    with tempfile.TemporaryDirectory(prefix="quest22-hostile-") as name:
        return 0 if hostile_runs(Path(name), given.runs, given.seed).good else 1


def hostile_runs(folder: Path, runs: int, seed: int) -> Outcome:
    outcome, chance = Outcome("odd answers, half uploads, kills"), random.Random(seed)
    data, size = folder / "data", ROWS // TARS
    for part in range(TARS):
        corpora.write_tar(data / f"{part}.tar", corpora.samples(size, part * size))
    server = Server(data)
    try:
        urls = tuple(f"{server.url}/{part}.tar" for part in range(TARS))
        rows = {"path": "webdataset", "data_files": urls, "keep_columns": ()}
        spec = RunSpec(data, folder / "whole", load=DigestPipeline, connect=_hasty, dataset=rows)
        code = ended(forked(lambda: perform(spec)))
        whole = Whole(outputs(spec.folder), code, 1.0, ROWS)
        spec = replace(spec, folder=folder / "out")
        while outcome.runs < runs:
            _until_complete(outcome, spec, whole, server, chance)
            shutil.rmtree(spec.folder, ignore_errors=True)
    finally:
        server.close()
    return outcome.tell()


def _until_complete(
    outcome: Outcome, spec: RunSpec, whole: Whole, server: Server, chance: random.Random
) -> None:
    path = spec.data / f"{chance.randrange(TARS)}.tar"
    content = path.read_bytes()
    if chance.random() < 0.5:
        path.write_bytes(content[: chance.randrange(len(content) * 3 // 4)])
    code = -1
    for life in range(MOST_LIVES):
        begun = (spec.folder / ".quest22" / "journal.json").exists()
        if begun and any(path.name in reason for reason in status(spec.folder).missing):
            path.write_bytes(content)
        calm = life > MOST_LIVES // 2
        odd = {} if calm else {chance.randrange(20): chance.choice(KINDS) for _ in range(3)}
        server.be_odd(odd)
        outcome.troubles.update(odd.values())
        child_spec = replace(spec, retry=begun and chance.random() < 0.5)
        child = forked(lambda child_spec=child_spec: perform(child_spec))  # type: ignore[misc]
        kills = not calm and chance.random() < 0.4
        code = killed_after(child, chance.uniform(0, 1)) if kills else ended(child)
        outcome.kills += code == -signal.SIGKILL
        if code == Exit.DONE:
            break
    if path.read_bytes() != content:
        outcome.wrong.append("it was complete while a tar was half uploaded")
        path.write_bytes(content)
    outcome.compare(f"run {outcome.runs}", whole, spec.folder, code)


if __name__ == "__main__":
    sys.exit(main())
