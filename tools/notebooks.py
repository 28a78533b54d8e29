"""Run the notebooks in ``docs/notebooks``, and show them as pages of the site.

``python -m tools.notebooks`` runs each in an empty folder, offline, and writes it with its outputs
into ``build/notebooks``. In the repository they have no outputs. ``as_markdown`` is what
``tools/docs_site.py`` makes a page of: of the notebook with outputs, if it has been run.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/notebooks"
BUILT = ROOT / "build/notebooks"
CELL_TIMEOUT_S = 300
OFFLINE = {"HF_HUB_OFFLINE": "1"}


def sources() -> list[Path]:
    """The notebooks, as they are in the repository."""
    return sorted(FOLDER.glob("*.ipynb"))


def execute(path: Path, folder: Path) -> Any:
    """A notebook with its outputs, run in a folder. Raises nbclient's CellExecutionError."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        startup_timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
    )
    client.execute(env=os.environ | OFFLINE)
    return notebook


def as_markdown(notebook: Any) -> str:
    """A notebook as a page: texts as they are, code in fences, and the outputs behind it."""
    return "\n\n".join(part for cell in notebook["cells"] for part in _parts(cell)) + "\n"


def page_of(path: Path) -> str:
    """The page of a notebook: with outputs, if it was run after it was last changed."""
    built = BUILT / path.name
    is_fresh = built.is_file() and built.stat().st_mtime >= path.stat().st_mtime
    return as_markdown(json.loads((built if is_fresh else path).read_text(encoding="utf-8")))


def _parts(cell: Any) -> Iterator[str]:
    text = "".join(cell["source"]).strip("\n")
    if cell["cell_type"] == "markdown":
        yield text
        return
    yield f"```python\n{text}\n```"
    for output in cell["outputs"]:
        if shown := _output(output):
            yield shown


def _output(output: Any) -> str:
    """An output as HTML, if it has that, else as text."""
    if output["output_type"] == "stream":
        return _plain(output["text"])
    data = output.get("data", {})
    if "text/html" in data:
        html = "".join(data["text/html"]).strip()
        compact = re.sub(r"\n\s*\n", "\n", html)  # an empty line would end the block
        return f'<div class="output" markdown="0">\n{compact}\n</div>'
    return _plain(data.get("text/plain", ""))


def _plain(lines: str | list[str]) -> str:
    text = "".join(lines).strip("\n")
    return f"```text\n{text}\n```" if text else ""


def main() -> None:
    """Run all notebooks, or those that are named."""
    import nbformat

    BUILT.mkdir(parents=True, exist_ok=True)
    for path in [Path(name) for name in sys.argv[1:]] or sources():
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(path, Path(folder))
        nbformat.write(notebook, BUILT / path.name)
        print(f"run: {path.name}")


if __name__ == "__main__":
    main()
