"""Expands braces in addresses, as WebDataset and shells do: ``{000..010}`` and ``{train,test}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice, product
from math import prod

from quest22.errors import UsageError
from quest22.source.limits import MAX_BRACE_FILES

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})(?:\.\.(-?\d{1,18}))?")


def expanded(pattern: str) -> list[str]:
    """The addresses that a pattern stands for; itself if it has no braces with a range or a list.

    Raises UsageError if they are too many.
    """
    texts, choices = [], []
    end = 0
    for match in _BRACES.finditer(pattern):
        chosen = _choices(match.group(1))
        if chosen is not None:
            texts.append(pattern[end : match.start()])
            choices.append(chosen)
            end = match.end()
    if prod(map(len, choices)) > MAX_BRACE_FILES:
        raise UsageError(f"{pattern} stands for more than {MAX_BRACE_FILES:,} files: split it")
    return list(_joined(texts, choices, pattern[end:]))


def _joined(texts: Sequence[str], choices: Sequence[Sequence[str]], last: str) -> Iterator[str]:
    for chosen in product(*choices):
        parts = zip(texts, map(str, chosen), strict=True)
        yield "".join(text + choice for text, choice in parts) + last


def _choices(content: str) -> list[str] | None:
    match = _RANGE.fullmatch(content)
    if match is None:
        return content.split(",") if "," in content else None
    first, last = int(match.group(1)), int(match.group(2))
    step = abs(int(match.group(3) or 1)) or 1
    numbers = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    padded = any(re.match(r"-?0\d", bound) for bound in match.groups()[:2])
    width = max(map(len, match.groups()[:2])) if padded else 0
    return [f"{number:0{width}d}" for number in islice(numbers, MAX_BRACE_FILES + 1)]
