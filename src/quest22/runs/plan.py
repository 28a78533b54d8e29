"""A run's plan: everything that decides what its results are, by name, as values of JSON.

Knows settings and what became of them (a commit, a precision); knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from quest22.runtime.build import Pipeline
from quest22.settings import (
    AudioSettings,
    CaptionSettings,
    DatasetSettings,
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    LongFormSettings,
    PipelineSettings,
    VadSettings,
)
from quest22.version import __version__

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Settings = TypeVar("_Settings", bound="DataclassInstance")

_RENAMED = {"path": "dataset", "revision": "dataset_revision"}
_RESOLVED = ("dataset_revision", "model_revision", "compute_type")
"""What is asked for by one name and becomes another: a branch a commit, ``auto`` a precision."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run is asked to do, as far as it decides the results."""

    dataset: DatasetSettings
    job: PipelineSettings
    formats: tuple[str, ...]
    push_to_hub: str | None = None
    captions: CaptionSettings = field(default_factory=CaptionSettings)

    def known(self) -> dict[str, Any]:
        """So much of the plan as is known before anything is loaded or reached."""
        rows = asdict(replace(self.dataset, token=None))
        del rows["token"]
        known = {_RENAMED.get(name, name): value for name, value in rows.items()}
        known |= (
            asdict(self.job.decoding) | asdict(self.job.longform) | asdict(self.job.hallucination)
        )
        known |= asdict(self.captions)
        known |= asdict(self.job.vad)
        known |= {
            "quest22": __version__,
            "model": self.job.engine.model,
            "channel": self.job.audio.channel,
            "max_duration_s": self.job.audio.max_duration_s,
            "formats": self.formats,
            "push_to_hub": self.push_to_hub,
        }
        return {name: value for name, value in known.items() if name not in _RESOLVED}

    def asked(self) -> dict[str, Any]:
        """What was asked for where the plan holds what came of it."""
        return {
            "dataset_revision": self.dataset.revision,
            "model_revision": self.job.engine.revision,
            "compute_type": self.job.engine.compute_type,
        }

    def plan(self, job: Pipeline, dataset_revision: str | None) -> dict[str, Any]:
        """The whole plan of a run that is about to begin."""
        return self.known() | {
            "dataset_revision": dataset_revision,
            "model_revision": job.checkpoint_revision,
            "weights": job.weights_fingerprint,
            "compute_type": job.compute_type,
        }

    def as_begun(self, plan: Mapping[str, Any], asked: Mapping[str, Any]) -> RunSettings:
        """These settings, where they leave open or repeat what was asked, with what came of it.

        So a run goes on with the commits that it began with, wherever a branch points today, and
        with batches of the size that it had, on which the last digits may depend.
        """
        now = self.asked()
        kept = {
            name: plan[name] if now[name] in (None, "auto", asked.get(name)) else now[name]
            for name in _RESOLVED
        }
        engine = replace(
            self.job.engine,
            revision=kept["model_revision"],
            compute_type=kept["compute_type"],
            batch_size=self.job.engine.batch_size or asked.get("batch_size"),
        )
        return replace(
            self,
            dataset=replace(self.dataset, revision=kept["dataset_revision"]),
            job=replace(self.job, engine=engine),
        )


def settings_of(plan: Mapping[str, Any], engine: EngineSettings) -> RunSettings:
    """The settings that a plan was made of; ``engine`` says what decides no results."""
    names = {each.name: _RENAMED.get(each.name, each.name) for each in fields(DatasetSettings)}
    rows = {name: plan[kept] for name, kept in names.items() if name != "token"}
    rows |= {name: tuple(rows[name]) for name in ("data_files", "keep_columns")}
    wanted = replace(
        engine,
        model=plan["model"],
        revision=plan["model_revision"],
        compute_type=plan["compute_type"],
    )
    job = PipelineSettings(
        wanted,
        _group(DecodingSettings, plan),
        _group(LongFormSettings, plan),
        _group(AudioSettings, plan),
        _group(HallucinationSettings, plan),
        vad=_group(VadSettings, plan),
    )
    dataset = DatasetSettings(token=engine.token, **rows)
    captions = _group(CaptionSettings, plan)
    published = plan.get("push_to_hub")
    return RunSettings(dataset, job, tuple(plan["formats"]), published, captions=captions)


def _group(settings: type[_Settings], plan: Mapping[str, Any]) -> _Settings:
    """Settings of one kind, with JSON's lists as tuples again."""
    values = {each.name: plan[each.name] for each in fields(settings) if each.name in plan}
    return settings(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
