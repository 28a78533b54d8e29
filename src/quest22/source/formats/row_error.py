"""What the readers of data files give: rows by their number, read or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Values: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row, or with no number a whole file, could not be read."""

    reason: str


Numbered: TypeAlias = tuple[int | None, Values | RowError]
"""A row's number in its file, and its values."""
