"""Limits what this process may take of the machine; does nothing where the system has no limits."""

from __future__ import annotations

from contextlib import suppress


def limit_process(*, memory_bytes: int, cpu_s: int) -> None:
    """Limit this process' address space and processor time, and let it leave no core dump.

    Limits that are stricter already stay.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource

        limits = (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_CPU, cpu_s),
            (resource.RLIMIT_AS, memory_bytes),
        )
        for kind, limit in limits:
            _, hard = resource.getrlimit(kind)
            value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (value, hard))
