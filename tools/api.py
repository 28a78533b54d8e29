"""Write docs/api.md, the reference of everything that ``import quest22`` offers.

python -m tools.api           write it, from signatures and docstrings
python -m tools.api --check   fail if it is out of date
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import quest22

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/api.md"

HEAD = """\
<!-- Made by: python -m tools.api, from the docstrings in src/quest22. Do not edit. -->
# Python reference

Everything that `import quest22` offers. For a first look see [the Python API](python.md).
`**options` are keyword arguments, each named like a flag: [options](options.md) says what they
mean. Editors complete and check them.
"""
SECTIONS = ("Functions", "Classes", "Records", "Errors")
CONSTRUCTED = frozenset({"Transcriber"})
"""Classes that callers make themselves; others are returned to them."""
INTERNAL = frozenset({"LiveSession.put", "LiveSession.on_close"})
ANNOTATED = re.compile(r"Annotated\[(.+), ['\"](.+)['\"]\]")
ESCAPED = "\\|"
LINE = 100


def page() -> str:
    """The whole page."""
    written = {section: list[str]() for section in SECTIONS}
    for name in quest22.__all__:
        kind = getattr(quest22, name)
        written[_section(kind)].append("\n".join(_described(name, kind)))
    parts = [HEAD]
    for section, entries in written.items():
        parts += [f"## {section}\n", *entries]
    return "\n".join(parts)


def _section(kind: Any) -> str:
    if not inspect.isclass(kind):
        return "Functions"
    if issubclass(kind, Exception):
        return "Errors"
    return "Records" if is_dataclass(kind) else "Classes"


def _described(name: str, kind: Any) -> Iterator[str]:
    yield f"### {name}\n"
    if not inspect.isclass(kind) or name in CONSTRUCTED:
        yield from _code(name, kind)
    about = _markdown(kind.__doc__)
    yield f"`{kind.__mro__[1].__name__}`: {about}" if _section(kind) == "Errors" else about
    if inspect.isclass(kind) and is_dataclass(kind):
        yield from _fields(kind)
    if inspect.isclass(kind) and not issubclass(kind, Exception):
        yield from _members(name, kind)


def _members(owner: str, kind: type) -> Iterator[str]:
    """The public methods and properties of a class, in the order of its source."""
    for name, member in vars(kind).items():
        full_name = f"{owner}.{name}"
        if name.startswith("_") or not inspect.getdoc(member) or full_name in INTERNAL:
            continue
        if isinstance(member, property):
            yield f"#### {full_name}\n\nA property. {_markdown(member.__doc__)}"
        if inspect.isfunction(member):
            yield f"#### {full_name}\n"
            yield from _code(full_name, member)
            yield _markdown(member.__doc__)


def _fields(kind: type[Any]) -> Iterator[str]:
    yield "| field | type | default | |\n|---|---|---|---|"
    for each in fields(kind):
        default = "" if each.default is MISSING else f"`{each.default!r}`"
        if each.default_factory is not MISSING:
            default = f"`{each.default_factory()!r}`"
        annotated = ANNOTATED.fullmatch(str(each.type))
        shown, text = annotated.groups() if annotated else (str(each.type), "")
        columns = f"`{each.name}`", f"`{shown}`", default, text
        yield f"| {' | '.join(column.replace('|', ESCAPED) for column in columns)} |"
    yield ""


def _code(name: str, function: Any) -> Iterator[str]:
    """The call as it is written, on one line if there is room."""
    signature = inspect.signature(function)
    parameters = list(_parameters(signature))
    start = "async " if inspect.iscoroutinefunction(inspect.unwrap(function)) else ""
    end = f") -> {signature.return_annotation}"
    line = f"{start}{name}({', '.join(parameters)}{end}"
    if len(line) > LINE:
        line = "\n".join([f"{start}{name}(", *(f"    {each}," for each in parameters), end])
    yield f"```python\n{line}\n```\n"


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    keyword_only = False
    for name, each in signature.parameters.items():
        if name in ("self", "cls"):
            continue
        if each.kind is each.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            yield "*"
        if each.kind is each.VAR_KEYWORD:
            yield f"**{name}"
            continue
        default = "" if each.default is each.empty else f" = {_shown(each.default)}"
        yield f"{name}: {each.annotation}{default}"


def _shown(default: Any) -> str:
    return str(default.__name__) if callable(default) else repr(default)


def _markdown(docstring: str | None) -> str:
    """A docstring as Markdown: roles and literals as code, what is raised as a list."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", inspect.cleandoc(docstring or ""))
    text = (
        text.replace("``", "`").replace("`quest22.errors.", "`").replace("`quest22.records.", "`")
    )
    text = re.sub(r" ::$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^Raises:\n", "Raises\n\n", text, flags=re.MULTILINE)
    return re.sub(r"^    (\w+Error): ", r"* `\1`: ", text, flags=re.MULTILINE) + "\n"


def main() -> None:
    """Write the page, or check it."""
    made = page()
    current = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    if made == current:
        return
    if "--check" in sys.argv[1:]:
        sys.exit(f"out of date: {PAGE.relative_to(ROOT)}; run: python -m tools.api")
    PAGE.write_text(made, encoding="utf-8", newline="\n")
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
