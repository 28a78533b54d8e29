"""Publishing on the Hub's stand-in with the unmodified client, killed and hindered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quest22
from tests.support.hub import Fault, Hub
from tests.support.hub_runs import result

ROOT = Path(__file__).parents[3]
CARD = b"---\nlicense: cc-by-4.0\nlanguage: [en]\n---\n"
READ = """
import json, sys
from datasets import load_dataset
print(json.dumps(list(load_dataset(sys.argv[1], split="test", streaming=True))))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        running.add_writer("hf_w", "ana", "org")
        running.add_dataset("org/speech", {"README.md": CARD}).tag("0123abc")
        yield running


class Office:
    """Starts processes that publish on a Hub."""

    def __init__(self, hub: Hub, home: Path) -> None:
        self._hub = hub
        self._home = home

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        source = Path(quest22.__file__).parents[1]
        paths = {"PYTHONPATH": f"{source}{os.pathsep}{ROOT}", "USE_TORCH": "0"}
        return subprocess.Popen(
            [sys.executable, *arguments],
            env={**self._hub.environment(self._home / "hf"), **paths},
            cwd=self._home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def publish(self, *errands: dict[str, Any]) -> list[str]:
        """Publish; the errors of each, none where all went well."""
        done = self.start("-m", "tests.support.hub_runs", json.dumps(errands))
        out, err = done.communicate(timeout=300)
        assert done.returncode == 0, err
        errors: list[str] = json.loads(out)
        return errors

    def die_at(self, pattern: str, errand: dict[str, Any]) -> None:
        """Publish, and be killed when a request has had its effect and got no answer."""
        started: list[subprocess.Popen[str]] = []
        kill = Fault(pattern, then=lambda: os.kill(started[0].pid, signal.SIGKILL))
        self._hub.faults.append(kill)
        started.append(self.start("-m", "tests.support.hub_runs", json.dumps([errand])))
        started[0].communicate(timeout=300)
        assert started[0].returncode == -signal.SIGKILL


@pytest.fixture
def office(hub: Hub, tmp_path: Path) -> Office:
    return Office(hub, tmp_path)


@pytest.mark.slow
def test_killed_between_commit_and_mark_it_ends_as_if_nothing_had_happened(
    hub: Hub, office: Office
) -> None:
    """Also with requests that fail, and an answer that is lost."""
    assert office.publish({"folder": "undisturbed", "repository": "ana/out"}) == [""]
    expected = hub.dataset("ana/out").head()
    del hub.catalogue.repositories["dataset", "ana/out"]
    hub.catalogue.uploads.clear()

    errand = {"folder": "disturbed", "repository": "ana/out"}
    office.die_at("/repos/create", errand)
    office.die_at("/ana/out/commit/", errand)
    office.die_at("/storage/", errand)
    hub.faults += [
        Fault("/preupload/", status=503),
        Fault("/storage/", method="PUT", status=500),
        Fault("/ana/out/commit/", status=429),
        Fault("/ana/out/commit/", cut_after=0),
    ]
    assert office.publish(errand) == [""]
    assert [fault.pattern for fault in hub.faults if fault.times] == []
    assert hub.dataset("ana/out").head() == expected


@pytest.mark.slow
def test_a_commit_that_nobody_recorded_is_found_again(
    hub: Hub, office: Office, tmp_path: Path
) -> None:
    errand = {"folder": "out", "results": 3, "commit_rows": 100}
    assert office.publish(errand) == [""]
    before = hub.dataset("org/out").head()
    commits = len(hub.dataset("org/out").commits)
    journal = tmp_path / "out" / ".quest22" / "journal.json"
    kept = json.loads(journal.read_text())
    kept["mark"]["finished"] = False
    journal.write_text(json.dumps(kept))
    assert office.publish(errand) == [""]
    assert hub.dataset("org/out").head() == before
    assert len(hub.dataset("org/out").commits) == commits


@pytest.mark.slow
def test_what_is_published_is_a_dataset(hub: Hub, office: Office) -> None:
    assert office.publish({"folder": "out", "repository": "org/out"}) == [""]
    reading = office.start("-c", READ, "org/out")
    out, err = reading.communicate(timeout=300)
    assert reading.returncode == 0, err
    rows = json.loads(out)
    numbers = [number for number in range(14) if number % 5 != 4]
    assert [row["id"] for row in rows] == [f"clip-{number}" for number in numbers]
    columns = [result(number).columns for number in numbers]  # type: ignore[union-attr]
    assert [row["speaker"] for row in rows] == [str(each["speaker"]) for each in columns]
    assert [row["score"] for row in rows] == [each["score"] for each in columns]
    assert [row["topic"] for row in rows] == [each.get("topic") for each in columns]
    failures = hub.dataset("org/out").head()["failures.jsonl"].decode().splitlines()
    assert [json.loads(line)["id"] for line in failures] == ["clip-4", "clip-9"]


@pytest.mark.slow
def test_refusals_are_one_line(hub: Hub, office: Office) -> None:
    hub.add_dataset("org/taken", {"train.csv": b"a,b"})
    hub.add_dataset("other/theirs", {})
    hub.tokens.add("hf_reader")
    few = {"results": 2}
    cases = [
        ({"folder": "a", "token": None, **few}, "UsageError", "hf auth login"),
        ({"folder": "b", "token": "hf_expired", **few}, "SinkError", "HTTP 401"),
        ({"folder": "c", "repository": "other/name", **few}, "SinkError", "no write access"),
        ({"folder": "d", "repository": "other/theirs", **few}, "SinkError", "no write access"),
        ({"folder": "e", "repository": "or g/na me", **few}, "UsageError", "expected org/name"),
        ({"folder": "f", "repository": "org/taken", **few}, "SinkError", "other files (train.csv)"),
        ({"folder": "g", **few}, "", ""),
        ({"folder": "h", "plan": "two", **few}, "SinkError", "another run"),
        ({"folder": "h", "plan": "two", "restart": True, **few}, "", ""),
        ({"folder": "g", "plan": "one", **few, "results": 3}, "SinkError", "no longer contains"),
    ]
    errors = office.publish(*(case for case, *_ in cases))
    for error, (case, kind, words) in zip(errors, cases, strict=True):
        assert error.partition(":")[0] == kind, (case, error)
        assert words in error, (case, error)
        assert "\n" not in error
        assert "hf_expired" not in error


@pytest.mark.slow
def test_a_hub_that_stays_away_is_given_up(hub: Hub, office: Office) -> None:
    hub.faults.append(Fault("/repos/create", times=1000, status=503))
    (error,) = office.publish({"folder": "out"})
    assert "could not be reached or written to" in error
    assert "HTTP 503" in error
