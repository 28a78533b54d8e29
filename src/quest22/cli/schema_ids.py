"""The versions of our machine-readable outputs, and the identifiers of their schemas.

A version is ``major.minor``. The minor number grows when a field is added, the major one when a
field goes, or changes its type or its meaning.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

VERSIONS = {
    "transcript": "1.0",
    "failure": "1.0",
    "json": "1.0",
    "live-event": "1.0",
    "live-message": "1.0",
    "status": "1.0",
    "stats": "1.0",
    "eval": "1.0",
    "models": "1.1",
    "model-info": "1.0",
    "doctor": "1.2",
    "bench": "1.0",
    "bench-live": "1.0",
    "server-log": "1.0",
}

SchemaId: TypeAlias = Annotated[str, "The schema of this object, with its version."]


def schema_id(name: str) -> str:
    """The identifier of the schema of an output; reports carry it in their field ``schema``.

    >>> schema_id("stats")
    'urn:quest22:stats:1.0'
    """
    return f"urn:quest22:{name}:{VERSIONS[name]}"
