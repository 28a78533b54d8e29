"""Tells errors that mean: the system gives this process no more memory, or no more threads.

Libraries say so in their own words, from the loader of shared libraries to C++.
"""

from __future__ import annotations

import errno

MEMORY = (
    "there is not enough memory: choose a smaller --batch-size or model, or allow the process more "
    "(ulimit -v)"
)
THREADS = (
    "no more threads can be started: choose fewer --threads, or allow the process more threads or "
    "memory (ulimit -u, ulimit -v)"
)
_MEMORY_WORDS = (
    "bad_alloc",
    "bad allocation",
    "failed to map segment",
    "cannot allocate memory",
    "unable to allocate",
    "can't alloc",
    "out of memory",
)
_THREAD_WORDS = ("can't start new thread", "resource temporarily unavailable")


def shortage(error: BaseException) -> str | None:
    """What is short and what to do, if that is what an error or its cause says; else None."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        if found := _shortage(each):
            return found
        each = each.__cause__ or each.__context__
    return None


def _shortage(error: BaseException) -> str | None:
    if isinstance(error, MemoryError) or _number(error) == errno.ENOMEM:
        return MEMORY
    if not isinstance(error, RuntimeError | ImportError | OSError):
        return None
    text = str(error).lower()
    if any(words in text for words in _MEMORY_WORDS):
        return MEMORY
    return THREADS if any(words in text for words in _THREAD_WORDS) else None


def _number(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None
