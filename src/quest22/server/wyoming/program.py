"""Describes the server's models to Wyoming clients."""

from __future__ import annotations

from wyoming.info import AsrModel, AsrProgram, Attribution, Info

from quest22.server.models import ModelPool
from quest22.settings.languages import LANGUAGES
from quest22.version import __version__

NAME = "quest22"
MAKER = Attribution(NAME, "https://github.com/quest22/quest22")
ENGLISH_ONLY = ".en"


def info(models: ModelPool) -> Info:
    """The served models with their languages.

    The languages of models that are not loaded are guessed from their names.
    """
    exact = {model.name: model.pipeline.languages for model in models.loaded}
    served = [
        AsrModel(
            name=name,
            attribution=MAKER,
            installed=True,
            description=name,
            version=__version__,
            languages=list(exact.get(name) or _guessed(name)),
        )
        for name in models.names
    ]
    program = AsrProgram(
        name=NAME,
        attribution=MAKER,
        installed=True,
        description="Speech to text",
        version=__version__,
        models=served,
        supports_transcript_streaming=True,
        requires_external_vad=True,
        prefers_auto_gain_enabled=False,
        prefers_noise_reduction_enabled=False,
    )
    return Info(asr=[program])


def _guessed(name: str) -> tuple[str, ...]:
    return ("en",) if name.endswith(ENGLISH_ONLY) else tuple(LANGUAGES)
