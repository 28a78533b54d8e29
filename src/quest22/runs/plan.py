"""A run's plan: everything that determines its results, grouped by topic, as JSON values.

A plan is ``{"quest22": version, "dataset": {…}, "model": {…}, "decoding": {…}, …}``. Part of it is
known before anything is loaded (:func:`known_plan`). The rest is resolved from the request: a
branch becomes a commit, ``auto`` becomes a compute type (:func:`whole_plan`).

Knows settings; knows nothing of files.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from quest22.engine.precision import canonical_compute_type
from quest22.runs.settings import RunSettings
from quest22.runtime.build import Pipeline
from quest22.settings import (
    AudioSettings,
    CaptionSettings,
    DatasetSettings,
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    HubSettings,
    LongFormSettings,
    PipelineSettings,
    VadSettings,
)
from quest22.source.io.address import is_url
from quest22.source.locate import placed
from quest22.version import __version__

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Plan: TypeAlias = Mapping[str, Any]
"""Settings by group and name, as JSON values."""

Request: TypeAlias = Mapping[str, Any]
"""Requested values of settings that the plan holds resolved: see :func:`requested`."""

_GROUPS: dict[str, type[DataclassInstance]] = {
    "decoding": DecodingSettings,
    "long_form": LongFormSettings,
    "hallucination": HallucinationSettings,
    "vad": VadSettings,
    "captions": CaptionSettings,
}
"""Groups that are one settings class, all of whose fields affect results."""

_AUDIO = ("channel", "audio_track", "max_duration_s", "max_damage")
_DATASET = tuple(
    each.name for each in fields(DatasetSettings) if each.name not in ("token", "working_folder")
)
_MODEL = {
    "model": "name",
    "model_revision": "revision",
    "weights": "weights",
    "compute_type": "compute_type",
    "engine": "engine",
    "device": "device",
}
_OUTPUT = ("formats", "push_to_hub")
_FLAT_DATASET = {"path": "dataset", "revision": "dataset_revision"}

OUTPUT_GROUPS = ("captions.", "output.formats")
"""What the names of settings begin with that decide how texts are written, not which."""

_PATHS = {"dataset": ("path", "data_files"), "model": ("name",)}
"""Settings that may be local paths."""

_ADDED: Mapping[str, Any] = {
    "long_form.quality": "balanced",
    "captions.caption_length": None,
    "audio.max_damage": 0.9,
    "audio.audio_track": None,
}
"""Settings that the plans of earlier versions lack, and what they were then."""

_UNTOLD = ("model.engine", "model.device")
"""What the plans of earlier versions do not tell: any will do there."""

_CPU_ENGINES = ("native", "openvino")


def known_plan(settings: RunSettings) -> dict[str, Any]:
    """The part of the plan that is known before anything is loaded or reached."""
    dataset = {name: getattr(settings.dataset, name) for name in _DATASET if name != "revision"}
    hub = settings.push_to_hub
    plan = pipeline_plan(settings.pipeline, settings.captions, settings.formats)
    plan["output"]["push_to_hub"] = hub.repository if hub else None
    return {"quest22": __version__, "dataset": dataset, **plan}


def pipeline_plan(
    pipeline: PipelineSettings, captions: CaptionSettings, formats: Iterable[str]
) -> dict[str, Any]:
    """The part of a plan that says how clips are transcribed and written."""
    model = pipeline.engine.model
    return {
        "model": {} if model is None else {"name": model},
        "decoding": asdict(pipeline.decoding),
        "long_form": asdict(pipeline.longform),
        "audio": {name: getattr(pipeline.audio, name) for name in _AUDIO},
        "hallucination": asdict(pipeline.hallucination),
        "vad": asdict(pipeline.vad),
        "captions": asdict(captions),
        "output": {"formats": tuple(sorted(formats))},
    }


def whole_plan(
    settings: RunSettings, pipeline: Pipeline, dataset_revision: str | None
) -> dict[str, Any]:
    """The plan of a run with a loaded pipeline and an opened source."""
    plan = known_plan(settings)
    plan["dataset"]["revision"] = dataset_revision
    plan["model"] |= {
        "revision": pipeline.checkpoint_revision,
        "weights": pipeline.weights_fingerprint,
        "compute_type": pipeline.compute_type,
        "engine": pipeline.engine_name,
        "device": pipeline.device,
    }
    return plan


def requested(settings: RunSettings) -> dict[str, Any]:
    """The requested values of settings that the plan holds resolved: a branch, ``auto``."""
    return {
        "dataset_revision": settings.dataset.revision,
        "model_revision": settings.pipeline.engine.revision,
        "compute_type": canonical_compute_type(settings.pipeline.engine.compute_type),
    }


def resolved(plan: Plan) -> dict[str, Any]:
    """The resolved values of these settings, by the same names."""
    return {
        "dataset_revision": plan["dataset"]["revision"],
        "model_revision": plan["model"]["revision"],
        "compute_type": canonical_compute_type(plan["model"]["compute_type"]),
    }


def pinned(settings: RunSettings, plan: Plan, request: Request) -> RunSettings:
    """``settings``, pinned to what a run started with where they leave that open or repeat it.

    A run thus continues with its model where none is named, with its original commits, wherever a
    branch points today, and with its batch size and its engine, on which rounding depends.
    """
    now, began = requested(settings), resolved(plan)
    before = dict(request)
    if request.get("compute_type"):  # perhaps under its former name
        before["compute_type"] = canonical_compute_type(request["compute_type"])
    values = {
        name: began[name] if now[name] in (None, "auto", before.get(name)) else now[name]
        for name in began
    }
    engine = replace(
        with_engine_of(plan, settings.pipeline.engine),
        model=settings.pipeline.engine.model or plan["model"]["name"],
        revision=values["model_revision"],
        compute_type=values["compute_type"],
        batch_size=settings.pipeline.engine.batch_size or request.get("batch_size"),
    )
    return replace(
        as_begun(settings, plan),
        dataset=replace(settings.dataset, revision=values["dataset_revision"]),
        pipeline=replace(settings.pipeline, engine=engine),
    )


def with_engine_of(plan: Plan, engine: EngineSettings) -> EngineSettings:
    """Engine settings that keep the engine that a plan tells, where they leave it open.

    Both engines of the CPU count as one: in a precision that both have they differ in last digits,
    and which of them runs depends on how quest22 was installed.
    """
    name, device = (plan["model"].get(each) for each in ("engine", "device"))
    if name is None or engine.engine not in ("auto", name):
        return engine
    if engine.devices or engine.device.strip().lower() != "auto":
        device = engine.device
    return replace(engine, engine=engine.engine if name in _CPU_ENGINES else name, device=device)


def as_begun(settings: RunSettings, plan: Plan) -> RunSettings:
    """``settings`` for a run that an earlier version began: defaults that are new do not apply."""
    captions = settings.captions
    new = "caption_length" not in plan.get("captions", {})
    if not new or captions.caption_length != CaptionSettings().caption_length:
        return settings
    former = _ADDED["captions.caption_length"]
    return replace(settings, captions=replace(captions, caption_length=former))


def settings_from_plan(
    plan: Plan, engine: EngineSettings, folder: Path | None = None
) -> RunSettings:
    """The settings of a plan; ``engine`` holds those that do not affect results.

    Relative paths are in ``folder``.
    """
    model = plan["model"]
    engine = replace(
        with_engine_of(plan, engine),
        model=placed(model["name"], folder or Path.cwd()),
        revision=model["revision"],
        compute_type=model["compute_type"],
    )
    pipeline = PipelineSettings(
        engine,
        DecodingSettings(**_values(plan, "decoding")),
        LongFormSettings(**_values(plan, "long_form")),
        AudioSettings(**_values(plan, "audio")),
        HallucinationSettings(**_values(plan, "hallucination")),
        vad=VadSettings(**_values(plan, "vad")),
    )
    hub = plan["output"].get("push_to_hub")
    return RunSettings(
        DatasetSettings(token=engine.token, working_folder=folder, **_values(plan, "dataset")),
        pipeline,
        tuple(plan["output"]["formats"]),
        CaptionSettings(**_values(plan, "captions")),
        HubSettings(hub, token=engine.token) if hub else None,
    )


def _values(plan: Plan, group: str) -> dict[str, Any]:
    """A group of a plan, with lists from JSON turned back into tuples."""
    added = (name.split(".") for name in _ADDED)
    former = {name: _ADDED[f"{group}.{name}"] for each, name in added if each == group}
    values = former | plan.get(group, {})
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def plan_differences(begun: Plan, now: Plan, *, whole: bool) -> list[str]:
    """``dataset.take was None and is 3`` for each setting that differs.

    Without ``whole``, only settings in ``now`` are compared. Those that the program did not have
    when the run began count as what they were then.
    """
    before, after = dict(_leaves(begun)), dict(_leaves(json.loads(json.dumps(now))))
    before = {name: value for name, value in _ADDED.items() if name in after} | before
    names = after.keys() | before.keys() if whole else set(after)
    names -= {name for name in _UNTOLD if name not in before}
    return [
        f"{name} was {before.get(name)!r} and is {after.get(name)!r}"
        for name in sorted(names)
        if before.get(name) != after.get(name)
    ]


def with_places(plan: Plan, folder: Path) -> dict[str, Any]:
    """A plan whose relative local paths, of data and model, are absolute: they are in ``folder``.

    So runs that name one place in two ways, or in two working folders, are compared rightly.
    """
    absolute = dict(plan)
    for group, names in _PATHS.items():
        values = plan.get(group)
        if isinstance(values, Mapping):
            places = {name: _places(values[name], folder) for name in names if values.get(name)}
            absolute[group] = {**values, **places}
    return absolute


def _places(value: Any, folder: Path) -> Any:
    return placed(value, folder) if isinstance(value, str) else [placed(v, folder) for v in value]


def working_folder(plan: Plan, begun_in: str | None, folder: Path) -> Path:
    """The folder that a plan's relative paths are in.

    ``begun_in`` is that of the command which began the run. Journals of earlier versions lack it;
    then it is the nearest of this process' and those around ``folder`` where the data are.
    """
    if begun_in is not None:
        return Path(begun_in)
    data = plan.get("dataset")
    if not isinstance(data, Mapping):
        return Path.cwd()
    named = [data.get("path", ""), *data.get("data_files", ())]
    candidates = [Path.cwd(), *folder.resolve().parents]
    found = (each for each in candidates if any(_is_below(name, each) for name in named))
    return next(found, Path.cwd())


def _is_below(name: str, folder: Path) -> bool:
    return not is_url(name) and any(glob.iglob(str(folder / name)))  # noqa: PTH207 -- any name


def _leaves(plan: Plan, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in plan.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}.")
        elif name == "compute_type":  # a run may have started under its former name
            yield f"{path}{name}", canonical_compute_type(value)
        elif name == "engine" and value in _CPU_ENGINES:  # see with_engine_of
            yield f"{path}{name}", "native or openvino"
        else:
            yield f"{path}{name}", value


def flat_plan(plan: Plan) -> dict[str, Any]:
    """A plan without groups, under the names that users know.

    The reverse of :func:`grouped_plan`. Shown by a published dataset's card and by ``quest22
    status``.
    """
    flat: dict[str, Any] = {}
    for name, value in plan.items():
        if name == "dataset":
            flat |= {_FLAT_DATASET.get(key, key): each for key, each in value.items()}
        elif name == "model":
            flat |= {key: value[each] for key, each in _MODEL.items() if each in value}
        elif isinstance(value, Mapping):
            flat |= value
        else:
            flat[name] = value
    return flat


def grouped_plan(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The grouped form of a plan from a journal that was written before plans had groups."""
    left = dict(flat)

    def take(names: Mapping[str, str]) -> dict[str, Any]:
        return {name: left.pop(key) for key, name in names.items() if key in left}

    groups = {
        "dataset": take({_FLAT_DATASET.get(name, name): name for name in _DATASET}),
        "model": take(_MODEL),
        "audio": take({name: name for name in _AUDIO}),
        "output": take({name: name for name in _OUTPUT}),
    }
    for group, settings in _GROUPS.items():
        groups[group] = take({each.name: each.name for each in fields(settings)})
    return left | groups
