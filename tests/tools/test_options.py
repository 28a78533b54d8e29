from __future__ import annotations

import ast

import pytest

from quest22.settings import PipelineSettings
from tools import options


@pytest.mark.parametrize("path", options.GENERATED, ids=lambda path: path.name)
def test_what_is_generated_is_up_to_date(path):
    assert path not in options.outdated(), "run: python -m tools.options"


def test_every_typed_option_has_a_docstring_of_its_own():
    for group in ast.parse(options.types_module()).body:
        if isinstance(group, ast.ClassDef):
            fields = sum(isinstance(each, ast.AnnAssign) for each in group.body)
            texts = sum(isinstance(each, ast.Expr) for each in group.body)
            assert texts == fields + 1


def test_help_is_marked_up_for_another_language():
    assert options._marked("[cyan]on[/] or [cyan]off[/]", "`") == "`on` or `off`"


def test_the_page_names_each_option_and_flag():
    page = options.reference_page()
    for table in options.TABLES:
        for option in options._options(table.groups):
            assert all(f"`{name}`" in page for name in options._names(option.flags))
            assert f"| `{option.name}` |" in page
    assert PipelineSettings in {group for table in options.TABLES for group in table.groups}
    assert "`--vad-filter`" in page
    assert "`--name`, `--config`" in page
