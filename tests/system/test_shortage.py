from __future__ import annotations

import errno

import pytest

from quest22.system.shortage import MEMORY, THREADS, shortage

SAID = [
    (MemoryError(), MEMORY),
    (MemoryError("Unable to allocate 11.0 MiB for an array"), MEMORY),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), MEMORY),
    (RuntimeError("Exception from src/core.cpp:117:\nstd::bad_alloc\n"), MEMORY),
    (RuntimeError("could not append an elementwise post-op: can't alloc"), MEMORY),
    (ImportError("libx.so.2: failed to map segment from shared object"), MEMORY),
    (RuntimeError("can't start new thread"), THREADS),
    (RuntimeError("Resource temporarily unavailable"), THREADS),
    (OSError(errno.EAGAIN, "Resource temporarily unavailable"), THREADS),
    (RuntimeError("shapes do not match"), None),
    (ImportError("No module named 'x'"), None),
    (ValueError("bad_alloc"), None),
    (OSError(errno.ENOSPC, "No space left on device"), None),
]


@pytest.mark.parametrize(("error", "said"), SAID, ids=repr)
def test_what_libraries_say(error: Exception, said: str | None) -> None:
    assert shortage(error) == said


def test_the_cause_counts() -> None:
    outer = ValueError("the model is damaged")
    outer.__cause__ = MemoryError()
    assert shortage(outer) == MEMORY
    outer.__cause__.__cause__ = outer  # a ring ends
    assert shortage(outer) == MEMORY
