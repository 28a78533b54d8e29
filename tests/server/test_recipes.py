"""The commands in the recipes and the server's documents: every flag is one."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from quest22.cli.app import app

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "recipes" / "serving"
DOCUMENTS = [*sorted(ROOT.glob("docs/server*.md")), SERVING / "nginx.conf"]
COMMAND = re.compile(r"^#?\s*(quest22 (?:serve|keys)\b[^#\n]*)", re.MULTILINE)


def documented() -> Iterator[list[str]]:
    for each in DOCUMENTS:
        for found in COMMAND.findall(each.read_text(encoding="utf-8")):
            yield shlex.split(found)[1:]


def recipes() -> Iterator[list[str]]:
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    yield json.loads(re.findall(r"^CMD (.*)$", image, re.MULTILINE)[-1])
    for name in ("compose", "compose.cuda"):
        compose = yaml.safe_load((SERVING / f"{name}.yaml").read_text(encoding="utf-8"))
        yield compose["services"]["quest22"]["command"]
    deployment, _ = yaml.safe_load_all((SERVING / "kubernetes.yaml").read_text(encoding="utf-8"))
    yield deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    unit = (SERVING / "quest22.service").read_text(encoding="utf-8").replace("\\\n", " ")
    yield shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])[1:]  # type: ignore[index]


@pytest.mark.parametrize("line", [*recipes(), *documented()], ids=shlex.join)
def test_a_command_is_one(line: list[str]) -> None:
    name, *arguments = line
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)


def test_there_are_commands_in_the_documents() -> None:
    assert len(list(documented())) > 8


def test_what_kubernetes_mounts_is_there() -> None:
    deployment, service = yaml.safe_load_all(
        (SERVING / "kubernetes.yaml").read_text(encoding="utf-8")
    )
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    volumes = {each["name"] for each in pod["spec"]["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == volumes
    ports = {each["name"] for each in container["ports"]}
    probes = [value for name, value in container.items() if name.endswith("Probe")]
    assert {each["httpGet"]["port"] for each in probes} <= ports
    assert {each["httpGet"]["path"] for each in probes} == {"/health", "/ready"}
    assert {each["targetPort"] for each in service["spec"]["ports"]} <= ports
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["terminationGracePeriodSeconds"] > 30  # --drain
