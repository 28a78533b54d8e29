"""Write what is generated from the options that :mod:`quest22.settings` declares.

python -m tools.options           write src/quest22/options.py and docs/options.md
python -m tools.options --check   fail if one of them is out of date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from typer.models import OptionInfo

from quest22.cli.dataset_flags import DatasetFlags
from quest22.cli.foreign_flags import FOREIGN_FLAGS
from quest22.cli.live.flags import LiveOutputFlags, LiveSpeechFlags, SourceFlags
from quest22.cli.model_flags import SpeechFlags, VadFlags
from quest22.cli.output_flags import ReportFlags
from quest22.settings import (
    AudioSettings,
    CaptionSettings,
    DatasetSettings,
    DecodingSettings,
    EngineSettings,
    FailureSettings,
    HallucinationSettings,
    HubSettings,
    LiveSettings,
    LongFormSettings,
    OutputSettings,
    PipelineSettings,
    VadSettings,
)
from quest22.settings.cluster import (
    ClusterPlanSettings,
    ClusterRunSettings,
    ClusterWorkSettings,
)
from quest22.settings.live import RECORDINGS_ONLY
from quest22.settings.option import Option, options_of
from quest22.settings.python_names import in_python
from quest22.settings.server import ServerSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = Path(__file__).parent.parent
MADE = "Made by: python -m tools.options"

CLIP_GROUPS = (DecodingSettings, LongFormSettings, HallucinationSettings, VadSettings)
LIVE_GROUPS = (DecodingSettings, HallucinationSettings, VadSettings, LiveSettings)
MODEL_GROUPS = (EngineSettings, AudioSettings, PipelineSettings)
OUTPUT_GROUPS = (OutputSettings, FailureSettings, HubSettings)
CLUSTER_GROUPS = (ClusterRunSettings, ClusterPlanSettings, ClusterWorkSettings)
PARAMETERS = frozenset({"model", "dataset", "config", "folder"})
"""What the functions of Python take as parameters of their own."""


class Table(NamedTuple):
    """One table of the reference page."""

    title: str
    groups: tuple[type[DataclassInstance], ...]


TABLES = (
    Table("Model", (EngineSettings,)),
    Table("Decoding", (DecodingSettings,)),
    Table("Long form", (LongFormSettings,)),
    Table("Hallucination filter", (HallucinationSettings,)),
    Table("Voice activity", (VadSettings,)),
    Table("Live", (LiveSettings,)),
    Table("Audio and memory", (AudioSettings, PipelineSettings)),
    Table("Dataset", (DatasetSettings,)),
    Table("Output", (OutputSettings, FailureSettings)),
    Table("Captions", (CaptionSettings,)),
    Table("Publishing", (HubSettings,)),
    Table("Server", (ServerSettings,)),
    Table("Cluster", (ClusterRunSettings, ClusterPlanSettings, ClusterWorkSettings)),
)
COMMAND_ONLY: tuple[type[Any], ...] = (DatasetFlags, SpeechFlags, VadFlags, ReportFlags)
LIVE_ONLY: tuple[type[Any], ...] = (SourceFlags, LiveSpeechFlags, LiveOutputFlags)

TYPES_HEAD = f'''\
"""The options of Python's functions, typed, so that editors complete and check them.

{MADE}, from :mod:`quest22.settings`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict


'''
MODELS = '''\
class ModelOptions(TranscribeOptions, EngineOptions, total=False):
    """A model, and how it transcribes."""


class LiveModelOptions(LiveOptions, EngineOptions, total=False):
    """A model, and how a live session is transcribed: what :func:`quest22.live` takes."""

    revision: str | None
    """The same as ``model_revision``."""
'''
OPTIONS = '''\
class Options(ModelOptions, total=False):
    """What :class:`quest22.Transcriber` and :func:`quest22.transcribe` take."""

    revision: str | None
    """The same as ``model_revision``."""
'''
DATASET_REVISION = '''
    revision: str | None
    """The same as ``dataset_revision``, as in ``datasets.load_dataset``."""
'''
COMBINED = '''\
class StreamOptions(ModelOptions, DatasetOptions, total=False):
    """The options of a model and of a dataset: what :func:`quest22.stream` takes."""


class StreamToOptions(DatasetOptions, OutputOptions, ClusterOptions, total=False):
    """What :meth:`quest22.Transcriber.stream_to` takes."""
'''
PAGE_HEAD = f"""\
<!-- {MADE}, from src/quest22/settings. Do not edit. -->
# Options

Every option by its name in Python and by its flag. In Python, options are keyword arguments:
`quest22.transcribe("talk.mp3", model="small", beam_size=5)`. In a flag, `_` works for `-`. A flag
without a value may be given one (`--vad_filter False`, `--overwrite=no`): after a space `True` or
`False` in any case, after `=` also yes, no, on, off, 1, 0; a file of such a name is `./True`. More
about them: [decoding](decoding.md), [voice activity](voice-activity.md), [captions](captions.md),
[streaming](streaming.md), [outputs](outputs.md).

`quest22.Transcriber` and `quest22.transcribe` take those of the model up to audio and memory;
`quest22.stream` takes those of the dataset too. `Transcriber.transcribe` and `transcribe_many`
take those of decoding, long form, hallucination filter and voice activity, for one call:
`whisper.transcribe("a.mp3", language="ru")`. `Transcriber.live` takes those of decoding,
hallucination filter, voice activity and live; `quest22.live` takes those of the model too.
`Transcriber.stream_to` takes those of the dataset,
output, captions, publishing and cluster (`store` and `unit_format` are its folder and `formats`).

`revision` alone is the model's in `Transcriber`, `transcribe` and `live`, as in faster-whisper. It
is the dataset's wherever a dataset is streamed, as in `datasets.load_dataset` and `quest22 stream`.
`model_revision` and `dataset_revision` are clear everywhere.
"""


def types_module() -> str:
    """The text of ``src/quest22/options.py``."""
    classes = (
        _typed_dict("TranscribeOptions", "How a clip is transcribed.", CLIP_GROUPS),
        _typed_dict(
            "LiveOptions",
            "How a live session is transcribed: see :meth:`quest22.Transcriber.live`.",
            LIVE_GROUPS,
            without=RECORDINGS_ONLY,
        ),
        _typed_dict("EngineOptions", "A model, and how it runs.", MODEL_GROUPS),
        MODELS,
        OPTIONS,
        _typed_dict("DatasetOptions", "Which rows of a dataset.", (DatasetSettings,))
        + DATASET_REVISION,
        _typed_dict("CaptionOptions", "How captions look.", (CaptionSettings,)),
        _typed_dict(
            "OutputOptions",
            "What a run into a folder writes.",
            OUTPUT_GROUPS,
            base="CaptionOptions",
        ),
        _typed_dict(
            "ClusterOptions",
            "Whether and how a run is done by the workers of a cluster.",
            CLUSTER_GROUPS,
            without=("store", "unit_format"),
        ),
        COMBINED,
    )
    return TYPES_HEAD + "\n\n".join(classes)


def _typed_dict(
    name: str,
    title: str,
    groups: Iterable[type[DataclassInstance]],
    base: str = "TypedDict",
    without: Iterable[str] = (),
) -> str:
    head, left_out = f"class {name}({base}, total=False):", PARAMETERS.union(without)
    return "\n".join(_typed_dict_lines(head, title, groups, left_out))


def _typed_dict_lines(
    head: str, title: str, groups: Iterable[type[DataclassInstance]], left_out: frozenset[str]
) -> Iterator[str]:
    yield head
    yield f'    """{title}"""'
    yield ""
    for option in _options(groups):
        if option.name not in left_out:
            yield f"    {option.name}: {_python_type(option)}"
            yield from _docstring(option)
            yield ""


def _docstring(option: Option) -> Iterator[str]:
    text = in_python(f"{_marked(option.help, '``')} Default: {_default(option, '``')}.")
    lines = wrap(text, 90, break_on_hyphens=False)
    if len(lines) == 1:
        yield f'    """{lines[0]}"""'
        return
    first, *others = lines
    yield f'    """{first}'
    yield from (f"    {line}" for line in others)
    yield '    """'


def _python_type(option: Option) -> str:
    if option.form is not None:
        return option.form.python_type
    if option.choices:
        return f"Literal[{', '.join(f'{choice!r}' for choice in option.choices)}]".replace("'", '"')
    annotation = option.annotation
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return f"{name} | None" if option.default is MISSING and option.unset else name


def reference_page() -> str:
    """The text of ``docs/options.md``."""
    tables = ["\n".join(_table(each)) for each in TABLES]
    return "\n".join(
        [PAGE_HEAD, *tables, *_other_flags(), "", *_live_flags(), "", *_foreign_flags(), ""]
    )


def _table(table: Table) -> Iterator[str]:
    yield f"## {table.title}"
    yield ""
    yield from _head("option", "flag", "default", "unit", "what it does")
    for option in _options(table.groups):
        flags = f"`{option.metavar}`" if option.positional else _code(_names(option.flags))
        cells = (flags, _default(option, "`"), option.unit, _marked(option.help, "`"))
        yield _row(f"`{option.name}`", *cells)
    yield ""


def _other_flags() -> Iterator[str]:
    """Flags that no settings group declares."""
    declared = {
        name
        for table in TABLES
        for option in _options(table.groups)
        for name in _names(option.flags)
    }
    yield "## Other flags of the command"
    yield ""
    yield from _head("flag", "what it does")
    for group in COMMAND_ONLY:
        for names, text in _flags_of(group):
            if not declared.intersection(names):
                yield _row(_code(names), _marked(text, "`"))


def _live_flags() -> Iterator[str]:
    """Flags of the live command that no settings group declares."""
    declared = {option.help for table in TABLES for option in _options(table.groups)}
    yield "## Flags of `quest22 live`"
    yield ""
    yield from _head("flag", "what it does")
    for group in LIVE_ONLY:
        for names, text in _flags_of(group):
            if text not in declared:
                yield _row(_code(names), _marked(text, "`"))


def _foreign_flags() -> Iterator[str]:
    """Flags of other programs, and what they are here."""
    yield "## Flags of other programs"
    yield ""
    yield from _head("flag", "here")
    for each in FOREIGN_FLAGS:
        yield _row(_code(_typed(name) for name in each.spellings), each.says)


def _typed(name: str) -> str:
    """A long name as programs of Python have it; whisper.cpp's short ones as they are."""
    return f"--{name[2:].replace('-', '_')}" if name.startswith("--") else name


def _flags_of(group: type[Any]) -> Iterator[tuple[list[str], str]]:
    """The names and the help of each flag of a flag group."""
    hints = get_type_hints(group, include_extras=True)
    for each in fields(group):
        for fact in getattr(hints[each.name], "__metadata__", ()):
            if isinstance(fact, OptionInfo):
                given = (fact.default, *(fact.param_decls or ()))  # Typer puts the first apart
                names = [name for name in given if isinstance(name, str)]
                yield _names(names or [f"--{each.name.replace('_', '-')}"]), fact.help or ""


def _options(groups: Iterable[type[DataclassInstance]]) -> Iterator[Option]:
    return (option for group in groups for option in options_of(group))


def _names(flags: Iterable[str]) -> list[str]:
    """``--a/--no-a`` is two names."""
    return [name for flag in flags for name in flag.split("/")]


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _default(option: Option, quote: str) -> str:
    if option.default_text:
        return f"{quote}{option.default_text}{quote}"
    return option.unset or ("required" if option.default is MISSING else "none")


def _head(*titles: str) -> tuple[str, str]:
    return _row(*titles), "|---" * len(titles) + "|"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _marked(text: str, quote: str) -> str:
    """Rich markup as code of another language: ``[cyan]auto[/]`` → `` `auto` ``."""
    return re.sub(r"\[cyan\](.*?)\[/\]", rf"{quote}\1{quote}", text)


GENERATED = {
    ROOT / "src/quest22/options.py": types_module,
    ROOT / "docs/options.md": reference_page,
}


def outdated() -> list[Path]:
    """Files whose text is not what the declarations say."""
    return [
        path
        for path, text in GENERATED.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text()
    ]


def main() -> None:
    """Write the files, or check them."""
    stale = outdated()
    if "--check" not in sys.argv[1:]:
        for path in stale:
            path.write_text(GENERATED[path](), encoding="utf-8", newline="\n")
            print(f"written: {path.relative_to(ROOT)}")
    elif stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        sys.exit(f"out of date: {names}; run: python -m tools.options")


if __name__ == "__main__":
    main()
