"""The recipes for launchers: their commands are commands, and they take exit codes as they are."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from quest22.cli.app import app
from quest22.cli.exits import Exit
from tests.support.systems import posix_only
from tests.torture.rows import write_rows

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "recipes" / "cluster"
KUBERNETES = RECIPES / "kubernetes"
DOCUMENTS = [ROOT / "docs" / "cluster.md", ROOT / "docs" / "tutorials" / "cluster.md"]
COMMAND = re.compile(r"^\s*(quest22 (?:plan|work|status|retry)\b[^#\[\n]*)", re.MULTILINE)


def job(name: str) -> dict[str, Any]:
    return yaml.safe_load((KUBERNETES / name).read_text(encoding="utf-8"))


def retry_job() -> dict[str, Any]:
    """work.yaml as its own comment says that it becomes a Job that retries."""
    text = (KUBERNETES / "work.yaml").read_text(encoding="utf-8")
    (script,) = re.findall(r"sed '(.*)' work\.yaml", text)
    changed = subprocess.run(
        ["sed", script], input=text, capture_output=True, text=True, check=True
    )
    return yaml.safe_load(changed.stdout)


def jobs() -> dict[str, dict[str, Any]]:
    return {"plan": job("plan.yaml"), "work": job("work.yaml"), "retry": retry_job()}


def arguments(described: dict[str, Any], store: str) -> list[str]:
    """A Job's arguments as the kubelet gives them to the container."""
    (container,) = described["spec"]["template"]["spec"]["containers"]
    values = {"STORE": store, "CPUS": container["resources"]["requests"]["cpu"]}
    return [
        re.sub(r"\$\((\w+)\)", lambda name: values[name[1]], each) for each in container["args"]
    ]


def commands() -> Iterator[list[str]]:
    for each in DOCUMENTS:
        for found in COMMAND.findall(each.read_text(encoding="utf-8")):
            yield shlex.split(found)[1:]
    for each in jobs().values():
        yield arguments(each, "s3://bucket/prefix")
    yield ["work", "store", "--threads", "8"]  # worker.sbatch
    yield ["retry", "store", "--threads", "8"]


@pytest.mark.parametrize("line", [*commands()], ids=shlex.join)
def test_a_command_is_one(line: list[str]) -> None:
    name, *given = line
    get_command(app).commands[name].make_context(name, given)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["plan", "work", "retry"])
def test_kubernetes_knows_every_field(name: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    described = jobs()[name]
    for version in ("1.31", "1.33"):
        kubernetes_validate.validate(described, version, strict=True)


@pytest.mark.parametrize("name", ["plan", "work", "retry"])
def test_what_kubernetes_mounts_is_there(name: str) -> None:
    described = jobs()[name]
    pod = described["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {each["name"] for each in pod["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == volumes
    assert described["metadata"]["name"] == f"quest22-{name}"
    assert arguments(described, "s")[0] == name


def reaction(described: dict[str, Any], code: int, *conditions: str) -> str:
    """What the Job controller does about a pod: the first rule that fits, else it counts."""
    for rule in described["spec"]["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes", {"operator": "In", "values": []})
        assert codes["operator"] == "In"
        assert codes["values"] == sorted(codes["values"])  # as the API server demands
        if code in codes["values"]:
            return str(rule["action"])
        if any(each["type"] in conditions for each in rule.get("onPodConditions", [])):
            return str(rule["action"])
    return "Count"


@pytest.mark.parametrize("name", ["work", "retry"])
def test_kubernetes_takes_exit_codes_as_they_are(name: str) -> None:
    described = jobs()[name]
    spec = described["spec"]
    assert reaction(described, Exit.INTERRUPTED) == "Ignore"
    assert reaction(described, Exit.NOTHING_DONE, "DisruptionTarget") == "Ignore"
    assert reaction(described, Exit.NOTHING_DONE) == "Count"
    assert reaction(described, Exit.USAGE) == "FailIndex"
    assert reaction(described, 137) == "Count"
    assert spec["completions"] == spec["parallelism"]
    assert "activeDeadlineSeconds" not in spec
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > 25


@pytest.mark.slow
def test_a_container_is_stopped_as_the_kubelet_does_and_another_goes_on(tmp_path: Path) -> None:
    """SIGTERM to a process with nothing else in its environment."""
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data", 45)
    store = tmp_path / "store"

    def container(line: Sequence[object]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "quest22", *map(str, line)],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(line: Sequence[object], *, at: str = "") -> int:
        """The exit code of a container that is sent SIGTERM once it has said something."""
        with container(line) as process:
            assert process.stderr is not None
            while at and at not in (told := process.stderr.readline()):
                assert told, "the worker ended"
            if at:
                process.send_signal(signal.SIGTERM)
            process.communicate()
            return process.returncode

    files = f"{tmp_path}/data/*.parquet"
    plan = ["plan", "parquet", "--data-files", files, "-m", "nano", "--unit=2s", "--store", store]
    assert ended(plan) == Exit.DONE
    line = arguments(job("work.yaml"), str(store))
    assert ended(line, at="working with") in (Exit.INTERRUPTED, Exit.DONE)
    assert ended(line) == Exit.DONE
    assert not list(store.rglob("*.failed"))


def test_skypilot_gives_a_worker_what_it_needs() -> None:
    task = yaml.safe_load((RECIPES / "skypilot.yaml").read_text(encoding="utf-8"))
    line = task["run"].replace("exec ~/quest22/bin/", "")
    values = {"COMMAND": task["envs"]["COMMAND"], "STORE": "s3://bucket/prefix"}
    name, store = shlex.split(re.sub(r"\$(\w+)", lambda found: values[found[1]], line))[1:]
    get_command(app).commands[name].make_context(name, [store])  # type: ignore[attr-defined]
    assert set(re.findall(r"\$(\w+)", task["run"])) <= task["envs"].keys()


class _Jobs(BaseHTTPRequestHandler):
    """Takes jobs as the Hub does, and keeps what it is asked for."""

    asked: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, body))
        owner = {"id": "1", "name": "me", "type": "user"}
        status = {"stage": "SCHEDULING", "message": None}
        told = {"createdAt": "2026-01-01T00:00:00.000Z", "status": status, "owner": owner}
        answer = json.dumps({"id": f"job{len(self.asked)}", **body, **told}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""


@contextmanager
def hub_of_jobs() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    asked: list[tuple[str, dict[str, Any]]] = []
    handler = type("Jobs", (_Jobs,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
def test_jobs_of_hugging_face_are_asked_for_as_the_recipe_says(tmp_path: Path) -> None:
    """The real client, against a stand-in for the Hub."""
    hf = shutil.which(
        "hf", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    assert hf, "huggingface_hub brings it"
    with hub_of_jobs() as (address, asked):
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(hf).parent), os.environ["PATH"]]),
            "HF_ENDPOINT": address,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HOME": str(tmp_path),
            "HF_TOKEN": "hf_token",
            "HF_OPTIONS": "--namespace me",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        line = [str(RECIPES / "hf_jobs.sh"), "2", "work", "s3://bucket/prefix"]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path for path, _ in asked] == ["/api/jobs/me"] * 2
    for _, body in asked:
        assert body["attempts"] > 1
        assert body["timeoutSeconds"] == 24 * 3600
        assert body["secrets"] == {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "HF_TOKEN": "hf_token",
        }
        assert not body["environment"]
        shell, flag, script = body["command"]
        assert (shell, flag) == ("bash", "-c")
        name, *given = shlex.split(script.split("exec quest22 ")[1])
        get_command(app).commands[name].make_context(name, given)  # type: ignore[attr-defined]


@posix_only
@pytest.mark.parametrize("path", sorted(RECIPES.rglob("*.s*h*")), ids=lambda path: path.name)
def test_scripts_are_scripts(path: Path) -> None:
    subprocess.run(["bash", "-n", str(path)], check=True)
