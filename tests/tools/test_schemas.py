"""The published schemas and their page are those of the code."""

from __future__ import annotations

import pytest

from quest22.cli.schema import OUTPUTS
from tools import schemas


@pytest.mark.parametrize("path", schemas.generated(), ids=lambda path: path.name)
def test_what_is_generated_is_up_to_date(path):
    assert path not in schemas.outdated(), "run: python -m tools.schemas"


def test_a_schema_of_an_output_that_is_gone_is_out_of_date(tmp_path, monkeypatch):
    monkeypatch.setattr(schemas, "FOLDER", tmp_path)
    (tmp_path / "gone.json").write_text("{}", encoding="utf-8")
    assert tmp_path / "gone.json" in schemas.outdated()


def test_each_output_and_object_has_a_place_on_the_page():
    page = schemas.generated()[schemas.PAGE]
    for name in OUTPUTS:
        assert f"\n## {name}\n" in page
        for each in schemas.schema_of(name).get("$defs", {}):
            assert f"\n### {each}\n" in page
