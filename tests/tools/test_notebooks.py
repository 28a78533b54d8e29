"""The notebooks: kept without outputs, run as they are, shown as pages."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings import NANO_IS_HERE
from tools import notebooks

real = pytest.mark.skipif(not NANO_IS_HERE, reason="nano and the samples are not built")
SOURCES = pytest.mark.parametrize("path", notebooks.sources(), ids=lambda path: path.stem)
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)(?:#[^)\s]+)?\)")


def test_there_are_three() -> None:
    assert len(notebooks.sources()) == 3


@SOURCES
def test_a_notebook_is_kept_without_outputs_and_its_links_resolve(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        for target in LINK.findall("".join(cell["source"])):
            assert (path.parent / target).exists(), target


@real
@pytest.mark.slow
@SOURCES
def test_a_notebook_runs_offline_and_shows_progress(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    notebook = notebooks.execute(path, tmp_path)
    outputs = [each for cell in notebook.cells for each in cell.get("outputs", [])]
    errors = [each for each in outputs if each.get("name") == "stderr"]
    assert not errors, errors
    assert any("<progress" in str(each.get("data")) for each in outputs)
    page = notebooks.as_markdown(notebook)
    assert "<progress" in page
    assert "× real time" in page


def cell(*outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": ["1 +\n", "1"], "outputs": list(outputs)}


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ({"output_type": "stream", "text": ["a\n", "b\n"]}, "```text\na\nb\n```"),
        ({"output_type": "execute_result", "data": {"text/plain": ["2"]}}, "```text\n2\n```"),
        (
            {"output_type": "display_data", "data": {"text/html": ["<p>\n", "\n", "</p>"]}},
            '<div class="output" markdown="0">\n<p>\n</p>\n</div>',
        ),
    ],
)
def test_outputs_follow_the_code(output: dict[str, Any], shown: str) -> None:
    text = {"cell_type": "markdown", "source": ["# Title"]}
    page = notebooks.as_markdown({"cells": [text, cell(output)]})
    assert page == f"# Title\n\n```python\n1 +\n1\n```\n\n{shown}\n"


def test_a_page_has_outputs_until_the_notebook_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "BUILT", tmp_path / "built")
    (tmp_path / "built").mkdir()
    source, built = tmp_path / "a.ipynb", tmp_path / "built" / "a.ipynb"
    source.write_text(json.dumps({"cells": [cell()]}), encoding="utf-8")
    done = {"output_type": "stream", "text": "2"}
    built.write_text(json.dumps({"cells": [cell(done)]}), encoding="utf-8")
    assert "```text\n2" in notebooks.page_of(source)
    newer_s = built.stat().st_mtime + 10

    os.utime(source, (newer_s, newer_s))
    assert "```text" not in notebooks.page_of(source)
