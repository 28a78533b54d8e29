"""A Slurm of its own on loopback: munged, slurmctld and two nodes, in a folder, until it is left.

It needs Debian's packages slurmctld, slurmd and slurm-client (``apt-get install slurm-wlm``), and
root, as slurmd starts jobs of other users. Its nodes pretend to have processors of their own.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

NODES = ("n1", "n2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "srun")

_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdSpoolDir={folder}/%n.spool
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
InactiveLimit=0
KillWait=30
MinJobAge=3600
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A running Slurm: ``environment`` leads its commands to it."""

    folder: Path
    environment: Mapping[str, str]

    def call(self, *command: str | Path) -> str:
        """What a command prints; fails if the command does."""
        done = subprocess.run(
            [str(each) for each in command],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout.strip()

    def job(self, number: str) -> dict[str, str]:
        """What ``scontrol show job`` says of a job, such as ``JobState``."""
        shown = self.call("scontrol", "--oneliner", "show", "job", number)
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def logs(self) -> str:
        """The last lines of its programs, for whoever must find out why."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{each.name}: {each.read_text()[-2000:]}" for each in logs)


def skip_without_slurm() -> None:
    """Skip a test where Slurm cannot be run."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_path(os.environ)) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here: apt-get install slurm-wlm")
    if os.geteuid() != 0:
        pytest.skip("slurmd needs root")


@contextmanager
def running_slurm(folder: Path, environment: Mapping[str, str]) -> Iterator[Slurm]:
    """A Slurm whose state is in ``folder``, and whose jobs get ``environment``."""
    skip_without_slurm()
    ports = _free_ports(1 + len(NODES))
    configuration = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    nodes = [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8 "
        "RealMemory=32000 State=UNKNOWN\n"
        for name, port in zip(NODES, ports[1:], strict=True)
    ]
    text = _CONFIGURATION.format(host=host, port=ports[0], folder=folder)
    configuration.write_text(text.replace("PartitionName", f"{''.join(nodes)}PartitionName"))
    (folder / "state").mkdir()
    environment = {**environment, "SLURM_CONF": str(configuration), "PATH": _path(environment)}
    slurm = Slurm(folder, environment)
    with ExitStack() as programs:
        programs.enter_context(_program(slurm, *_munged(folder)))
        programs.enter_context(_program(slurm, "slurmctld", "-D", "-c"))
        for name in NODES:
            programs.enter_context(_program(slurm, "slurmd", "-D", "-N", name, log=name))
        _wait_for_nodes(slurm)
        yield slurm


def _munged(folder: Path) -> list[str]:
    """munged trusts only folders that nobody else may write into."""
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    options = {
        "key-file": key,
        "socket": folder / "munge.socket",
        "pid-file": folder / "munge.pid",
        "seed-file": folder / "munge.seed",
    }
    return ["munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in options.items())]


@contextmanager
def _program(slurm: Slurm, *command: str, log: str = "") -> Iterator[None]:
    """A program in the background, ended when the block is left."""
    path = slurm.folder / f"{log or command[0]}.log"
    with path.open("wb") as output:
        process = subprocess.Popen(command, env=slurm.environment, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_nodes(slurm: Slurm) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        shown = subprocess.run(
            ["sinfo", "--noheader", "--Node", "--format=%T"],
            env=slurm.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if shown.stdout.split() == ["idle"] * len(NODES):
            return
        time.sleep(0.2)
    pytest.fail(f"Slurm did not start: {shown.stdout}{shown.stderr}\n{slurm.logs()}")


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _path(environment: Mapping[str, str]) -> str:
    """Debian has slurmctld and slurmd in /usr/sbin, which is not on everyone's path."""
    return os.pathsep.join([environment.get("PATH", ""), "/usr/sbin"])
