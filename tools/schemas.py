"""Write the JSON Schemas of all outputs, and the page that shows them.

python -m tools.schemas           write docs/schemas/*.json and docs/json.md
python -m tools.schemas --check   fail if one of them is out of date
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quest22.cli.schema import OUTPUTS, schema_of
from quest22.cli.schema_ids import VERSIONS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/json.md"
FOLDER = ROOT / "docs/schemas"

HEAD = """\
<!-- Made by: python -m tools.schemas, from the types in src/quest22. Do not edit. -->
# JSON outputs

Everything that quest22 writes for programs to read, field by field, with a
[JSON Schema](https://json-schema.org/draft/2020-12) of each. `quest22 schema` lists them, and
`quest22 schema transcript` prints one. For what they mean, see [output formats](outputs.md).

**Versions.** Each schema has a version, `major.minor`. The minor number grows when a field is
added, the major number when a field is removed or changes its type or meaning. If you read what you
need and ignore other fields, a new minor version changes nothing for you. Reports name their
schema, such as `urn:quest22:stats:1.0`, in the field `schema`. Transcripts, failures, events and
models do not, because there may be millions of them, or because openai/whisper defines the format.
Their version is that of the quest22 that wrote them: `quest22 schema` lists it, and for a run
`quest22 status out --json` shows the version of quest22 that began it (`plan.quest22`).

**Closed.** A field that is not listed here is an error. The one exception are rows of transcripts:
the columns of `--keep-columns` stand beside ours, under their own names.

```python
import json
from jsonschema import Draft202012Validator

schema = json.load(open("transcript.json"))     # quest22 schema transcript > transcript.json
check = Draft202012Validator(schema)
for line in open("out/transcripts.jsonl", encoding="utf-8"):
    check.validate(json.loads(line))
```
"""


def generated() -> dict[Path, str]:
    """Every file that is made, with its text."""
    schemas = {name: schema_of(name) for name in OUTPUTS}
    files = {
        FOLDER / f"{name}.json": json.dumps(each, ensure_ascii=False, indent=2) + "\n"
        for name, each in schemas.items()
    }
    return {PAGE: "\n".join(_page(schemas)) + "\n", **files}


def _page(schemas: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield HEAD
    yield "| output | version | schema |"
    yield "|---|---|---|"
    for name, output in OUTPUTS.items():
        link = f"[{name}.json](schemas/{name}.json)"
        yield f"| [{name}](#{name}): {output.written} | {VERSIONS[name]} | {link} |"
    for name, made in schemas.items():
        yield f"\n## {name}\n"
        yield from _described(OUTPUTS[name].written[0].upper() + OUTPUTS[name].written[1:], made)
    yield "\n## Objects"
    objects = {name: each for made in schemas.values() for name, each in _objects(made)}
    for name in sorted(objects):
        yield f"\n### {name}\n"
        yield from _described("", objects[name])


def _objects(made: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from made.get("$defs", {}).items()


def _described(before: str, made: dict[str, Any]) -> Iterator[str]:
    """A sentence, and the table of the fields of an object."""
    if "properties" not in made:
        yield f"{before}: one of {_type(made)}."
        return
    yield " ".join(f"{part.removesuffix('.')}." for part in (before, made["description"]) if part)
    yield "\n| field | type | content |"
    yield "|---|---|---|"
    for name, each in made["properties"].items():
        optional = "" if name in made["required"] else " (optional)"
        text = each.get("description", "").replace("|", "\\|")
        yield f"| `{name}`{optional} | {_type(each)} | {text} |"


def _type(made: dict[str, Any]) -> str:
    """A type in words, with links to objects."""
    if "$ref" in made:
        name = made["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in made:
        return " or ".join(_type(each) for each in made["anyOf"])
    if "enum" in made or "const" in made:
        return " or ".join(f"`{value}`" for value in made.get("enum", [made.get("const")]))
    if made.get("type") in ("array", "object"):
        return _container(made)
    kinds = made.get("type", "anything")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def _container(made: dict[str, Any]) -> str:
    if "prefixItems" in made:
        return f"list of {len(made['prefixItems'])}: " + ", ".join(map(_type, made["prefixItems"]))
    if made["type"] == "array":
        return f"list of {_type(made['items'])}"
    return f"object of {_type(made['additionalProperties'])}"


def outdated() -> list[Path]:
    """Files whose text is not what the code says, and schemas of outputs that are gone."""
    files = generated()
    stale = [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    return stale + [path for path in FOLDER.glob("*.json") if path not in files]


def main() -> None:
    """Write the files, or check them."""
    stale, files = outdated(), generated()
    if "--check" not in sys.argv[1:]:
        FOLDER.mkdir(exist_ok=True)
        for path in stale:
            if path in files:
                path.write_text(files[path], encoding="utf-8", newline="\n")
            else:
                path.unlink()
            print(f"written: {path.relative_to(ROOT)}")
    elif stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        sys.exit(f"out of date: {names}; run: python -m tools.schemas")


if __name__ == "__main__":
    main()
