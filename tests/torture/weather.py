"""A server in bad weather: a process of its own over a folder, whose answers go wrong by chance.

    with Weather(folder, seed=1) as weather:
        stream(weather.url("part-0.parquet"))
        weather.told()       # how often each trouble struck

It is the Hub's stand-in, so that large files are redirected to storage with signatures that expire.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.hub import Fault, Hub, files_of
from tests.support.hub_answers import Answer, Request

NAME = "torture/rows"
CALM = "calm"
CHANCE = 0.3
"""The part of all requests that something happens to."""


class StormyHub(Hub):
    """A Hub that throws a die for each request."""

    def __init__(self, seed: int, chance: float) -> None:
        self._die = random.Random(seed)
        self._bad = chance
        self._throw = threading.Lock()
        self.odd = False
        self.struck: Counter[str] = Counter()
        super().__init__()

    def answer(self, request: Request) -> tuple[Answer, Fault | None]:
        with self._throw:
            name, fault = self._thrown()
            self.struck[name] += 1
        if fault is None:
            return super().answer(request)
        if fault.status:
            return Answer(fault.status, b"{}", fault.headers), fault
        answer, _ = super().answer(request)
        if fault.then is not None:
            fault.then()
        return answer, fault

    def _thrown(self) -> tuple[str, Fault | None]:
        if self._die.random() >= self._bad:
            return CALM, None
        cut = self._die.randrange(1, 20_000)
        troubles: dict[str, dict[str, Any]] = {
            "HTTP 500": {"status": 500},
            "HTTP 502": {"status": 502},
            "HTTP 503": {"status": 503},
            "HTTP 429, Retry-After": {"status": 429, "headers": {"Retry-After": "0"}},
            "body cut off": {"cut_after": cut},
            "connection reset": {"cut_after": cut, "reset": True},
            "stalled body": {"cut_after": cut, "stall_s": 0.5},
            "slow answer": {"delay_s": 0.05},
            "expired signature": {"then": self.expire_signatures},
        }
        if self.odd:
            troubles = {
                "HTTP 400": {"status": 400},
                "HTTP 404": {"status": 404},
                "HTTP 418": {"status": 418},
                "redirect to nowhere": {"status": 302, "headers": {"Location": "/nowhere"}},
                "garbled answer": {"raw": b"\x16\x03 is no HTTP\r\n\r\n"},
                "another page": {"status": 200, "headers": {"Content-Type": "text/html"}},
                **troubles,
            }
        name = self._die.choice(list(troubles))
        return name, Fault("", **troubles[name])


class Weather:
    """The process of a :class:`StormyHub` over one folder."""

    def __init__(self, folder: Path, seed: int = 0, chance: float = CHANCE) -> None:
        self._folder = folder
        command = [sys.executable, "-m", "tests.torture.weather", str(folder), str(seed)]
        self._process = subprocess.Popen(
            [*command, str(chance)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._endpoint = self._read()

    def urls(self) -> tuple[str, ...]:
        """The addresses of the folder's Parquet files, in order."""
        names = sorted(path.name for path in self._folder.glob("*.parquet"))
        return tuple(f"{self._endpoint}/datasets/{NAME}/resolve/main/{name}" for name in names)

    def calm(self, chance: float = 0.0) -> None:
        """Change the weather."""
        self._write(str(chance))

    def turn_odd(self) -> None:
        """From now on some answers are none that a server should give."""
        self._write("odd")

    def told(self) -> Counter[str]:
        """How often each trouble has struck so far."""
        self._write("tell")
        return Counter(json.loads(self._read()))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Weather:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def serve(folder: Path, seed: int, chance: float) -> None:
    """Answer until standard input ends; a number there is another chance."""
    with StormyHub(seed, chance) as hub:
        hub.add_dataset(NAME, files_of(folder))
        print(hub.endpoint, flush=True)
        for line in sys.stdin:
            if line.strip() == "tell":
                print(json.dumps(hub.struck), flush=True)
            elif line.strip() == "odd":
                hub.odd = True
            else:
                hub._bad = float(line)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
