"""Each file of C includes what declares the functions it calls.

Where a compiler's header for vectors includes others, as GCC's for x86 does, a forgotten one is not
noticed; on ARM and on Macs it is an error.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import quest22.native

SOURCES = sorted((Path(quest22.native.__file__).parent / "csrc").glob("*.[ch]"))
DECLARED = {
    "math.h": r"(?:INFINITY|NAN)\b|(?:exp|log|sqrt|fabs|fma|ceil|floor|lrint|cos|sin)f?\(",
    "pthread.h": r"pthread_\w+\(",
    "sched.h": r"sched_\w+\(",
    "stdatomic.h": r"atomic_\w+\(",
    "stdlib.h": r"(?:malloc|calloc|realloc|free|aligned_alloc|qsort|abort|getenv)\(",
    "string.h": r"(?:mem(?:cpy|move|set|cmp)|strlen|strcmp)\(",
    "sys/mman.h": r"(?:madvise|mmap|munmap)\(",
}


def ours_in(text: str) -> list[str]:
    return re.findall(r'^#include "(.+)"', text, re.M)


def included(source: Path) -> set[str]:
    """The system's headers that a file has, directly or by others of ours."""
    text = source.read_text(encoding="utf-8")
    found = set(re.findall(r"^#include <(.+)>", text, re.M))
    return found.union(*(included(source.with_name(name)) for name in ours_in(text)))


def called(source: Path) -> set[str]:
    """The headers whose functions a file calls, and its parts: files that include no header."""
    text = source.read_text(encoding="utf-8")
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    found = {name for name, calls in DECLARED.items() if re.search(rf"(?<![\w.>]){calls}", code)}
    parts = [part for name in ours_in(text) if not included(part := source.with_name(name))]
    return found.union(*map(called, parts))


WHOLE = [source for source in SOURCES if included(source)]


@pytest.mark.parametrize("source", WHOLE, ids=lambda source: source.name)
def test_what_is_called_is_declared(source: Path) -> None:
    assert called(source) <= included(source)


def test_calls_are_found() -> None:
    by_name = {source.name: called(source) for source in SOURCES}
    assert by_name["linear.h"] >= {"stdlib.h", "sys/mman.h"}
    assert {*DECLARED} - set().union(*by_name.values()) <= {"sched.h"}
