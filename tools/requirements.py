"""Print what quest22 requires, one requirement a line: ``python tools/requirements.py [EXTRA …]``.

Needs Python 3.11 and nothing else, so that an image has its dependencies in a layer of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import tomllib

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def requirements(extras: Iterable[str]) -> Iterator[str]:
    """The requirements of the package and of some extras, as pyproject.toml has them.

    Raises KeyError for an extra that it has not.
    """
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    yield from project["dependencies"]
    for extra in extras:
        yield from project["optional-dependencies"][extra]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
