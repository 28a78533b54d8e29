"""The documentation site: every page is in the navigation, links resolve, commands are ones."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from quest22.cli.app import app
from tools.docs_site import CODE, ROOT_PAGES, slug, with_site_links

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = [
    *(DOCS / f"{name}.md" for name in ("start", "coming-from", "troubleshooting", "environment")),
    *sorted(DOCS.glob("tutorials/*.md")),
]
SOURCES = [*sorted(DOCS.rglob("*.md")), *(ROOT / name for name in ROOT_PAGES)]
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
COMMAND = re.compile(r"^ *(?=quest22 )([^#\n]*)|`(?=quest22 )([^`]*)`", re.MULTILINE)


def pages_of(entries: Any) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
    else:
        for each in entries.values() if isinstance(entries, dict) else entries:
            yield from pages_of(each)


def anchors_of(file: Path) -> set[str]:
    text = re.sub(r"^ *```.*?^ *```", "", file.read_text(encoding="utf-8"), flags=re.M | re.S)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", each) for each in HEADING.findall(text))
    return {slug(each) for each in plain}


def commands() -> Iterator[list[str]]:
    for each in GUIDES:
        for found in COMMAND.findall(each.read_text(encoding="utf-8")):
            yield shlex.split("".join(found))[1:]


def test_every_page_is_in_the_navigation_once() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = {file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")}
    pages |= {f"notebooks/{file.stem}.md" for file in DOCS.glob("notebooks/*.ipynb")}
    assert sorted(pages_of(settings["nav"])) == sorted(pages.union(ROOT_PAGES.values()))


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_links_and_anchors_resolve(file: Path) -> None:
    text = "".join(CODE.split(file.read_text(encoding="utf-8"))[::2])
    broken = []
    for path, anchor in LINK.findall(text):
        target = file.parent / path if path else file
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(f"{path}#{anchor}")
    assert not broken


@pytest.mark.parametrize("line", [*commands()], ids=shlex.join)
def test_a_command_is_one(line: list[str]) -> None:
    name, *arguments = line
    program = get_command(app)
    parent = program.make_context("quest22", list(line))  # it reads _ as -
    program.commands[name].make_context(name, arguments, parent=parent)  # type: ignore[attr-defined]


def test_there_are_commands_in_the_guides() -> None:
    assert len(list(commands())) > 20


@pytest.mark.parametrize(
    ("page", "written", "shown"),
    [
        ("index.md", "[a](docs/live.md#x)", "[a](live.md#x)"),
        ("index.md", "[a](LICENSE)", "[a](R/blob/main/LICENSE)"),
        ("server.md", "[a](../README.md#input)", "[a](index.md#input)"),
        ("server.md", "[a](../recipes/serving)", "[a](R/tree/main/recipes/serving)"),
        ("tutorials/video.md", "[a](../captions.md)", "[a](../captions.md)"),
        ("tutorials/video.md", "[a](#x) [b](https://c.org/d)", "[a](#x) [b](https://c.org/d)"),
        ("live.md", "`[a](../README.md)`", "`[a](../README.md)`"),
    ],
)
def test_links_lead_to_pages_or_to_the_repository(page: str, written: str, shown: str) -> None:
    assert with_site_links(written, page, "R") == shown


def test_every_variable_of_the_product_is_described() -> None:
    page = (DOCS / "environment.md").read_text(encoding="utf-8")
    source = (ROOT / "src/quest22/env.py").read_text(encoding="utf-8")
    names = set(re.findall(r'"((?:QUEST22|HF|XDG)_[A-Z0-9_]+|USE_TORCH|DO_NOT_TRACK)"', source))
    assert {"QUEST22_CACHE", "QUEST22_NATIVE", "HF_TOKEN"} <= names
    assert not {name for name in names if name not in page} - {"HF_HUB_DISABLE_PROGRESS_BARS"}
