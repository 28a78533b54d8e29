"""The reference of the Python API is that of the code."""

from __future__ import annotations

import quest22
from tools import api


def test_it_is_up_to_date() -> None:
    assert api.page() == api.PAGE.read_text(encoding="utf-8"), "run: python -m tools.api"


def test_everything_public_has_a_heading_and_a_text() -> None:
    entries = api.page().split("\n### ")[1:]
    found = {each.partition("\n")[0] for each in entries}
    assert found == set(quest22.__all__)
    assert all(len(each.strip().splitlines()) > 2 for each in entries)


def test_a_docstring_becomes_markdown() -> None:
    text = """Say it, as :class:`quest22.errors.ClipError` does.

    Raises:
        UsageError: ``x`` is wrong.
    """
    assert api._markdown(text) == (
        "Say it, as `ClipError` does.\n\nRaises\n\n* `UsageError`: `x` is wrong.\n"
    )


def test_a_call_that_is_long_has_a_line_for_each_parameter() -> None:
    def short(name: str, *, times: int = 2, **options: object) -> None: ...

    def long(name: str, *, as_many_times_as_this: int = 2, in_a_row: bool = False) -> str: ...

    assert "".join(api._code("short", short)) == (
        "```python\nshort(name: str, *, times: int = 2, **options) -> None\n```\n"
    )
    assert "    as_many_times_as_this: int = 2,\n" in "".join(api._code("long" * 9, long))
