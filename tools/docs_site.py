"""What the documentation site adds to the pages in ``docs``: a hook of MkDocs (see ``mkdocs.yml``).

The pages are written for GitHub first, so links lead to files. Here, those in the root of the
repository become pages too, and links to any other file lead to the repository.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tools import notebooks

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
ROOT_PAGES = {
    "README.md": "index.md",
    "README.ru.md": "ru.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Files in the root of the repository, and the pages that they become."""

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]+)?(?=\))")
CODE = re.compile(r"(^ *```.*?^ *```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give headings the anchors that GitHub gives them."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slug
    return config


def slug(heading: str, separator: str = "-") -> str:
    """The anchor of a heading: letters of any alphabet, digits, and hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in ``docs``, and make pages of the notebooks there."""
    from mkdocs.structure.files import File

    for source, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for notebook in notebooks.sources():
        name = f"{notebooks.FOLDER.name}/{notebook.stem}.md"
        files.append(File.generated(config, name, content=notebooks.page_of(notebook)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Make links lead to pages, or to files of the repository."""
    return with_site_links(markdown, page.file.src_uri, config.repo_url or "")


def with_site_links(markdown: str, page: str, repository: str) -> str:
    """``markdown`` of the ``page`` of the site, with links as they are there."""
    source = source_of(page)

    def replaced(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found["path"]))
        return _address(target, page, repository) + (found["anchor"] or "")

    parts = CODE.split(markdown)  # code is at odd places
    parts[::2] = [LINK.sub(replaced, text) for text in parts[::2]]
    return "".join(parts)


def source_of(page: str) -> str:
    """The file, from the root of the repository, that a page of the site is made of."""
    if page.startswith("notebooks/"):
        return f"docs/{page.removesuffix('.md')}.ipynb"
    return {made: name for name, made in ROOT_PAGES.items()}.get(page, f"docs/{page}")


def _address(target: str, page: str, repository: str) -> str:
    there = ROOT_PAGES.get(target) or target.removeprefix("docs/")
    if target in ROOT_PAGES or there != target:
        return posixpath.relpath(there, posixpath.dirname(page) or ".")
    kind = "tree" if (ROOT / target).is_dir() else "blob"
    return f"{repository}/{kind}/main/{target}"
