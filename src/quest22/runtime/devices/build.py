"""Opens a checkpoint as one engine, on the devices that the settings name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from quest22.checkpoint.load import Checkpoint
from quest22.engine.build import build_engine
from quest22.engine.engine import WhisperEngine
from quest22.metrics import Metrics
from quest22.protocols import FeatureExtractor
from quest22.runtime.devices.device import DeviceProcess
from quest22.runtime.devices.engine import DevicesEngine
from quest22.runtime.devices.messages import Opening
from quest22.settings import EngineSettings
from quest22.system.machine import usable_cores

_log = logging.getLogger("quest22")


def open_engine(
    checkpoint: Checkpoint,
    features: FeatureExtractor,
    settings: EngineSettings,
    devices: Sequence[str],
    metrics: Metrics,
    draft: Checkpoint | None = None,
) -> WhisperEngine | DevicesEngine:
    """A checkpoint on ``devices``, each in a process if there are several; none: the settings'.

    ``draft`` is the draft model that the settings name: processes load it themselves.
    Raises as :func:`quest22.engine.build.build_engine` does.
    """
    if len(devices) > 1:
        return _open_devices(checkpoint, settings, devices, metrics)
    if devices:
        settings = replace(settings, devices=(), device=devices[0])
    return build_engine(checkpoint, features, settings, metrics, draft)


def _open_devices(
    checkpoint: Checkpoint, settings: EngineSettings, names: Sequence[str], metrics: Metrics
) -> DevicesEngine:
    """Start all processes, which load the model at the same time."""
    level = _log.getEffectiveLevel()
    threads = max(1, (settings.cpu_threads or usable_cores()) // len(names))
    model = str(checkpoint.folder.absolute())
    with ExitStack() as on_error:
        devices = []
        for place, name in enumerate(names, 1):
            label = f"{name} ({place} of {len(names)})" if names.count(name) > 1 else name
            own = replace(
                settings,
                model=model,
                revision=None,
                devices=(),
                device=name.partition(":")[0],  # a process sees no other GPU
                threads=threads,
            )
            devices.append(DeviceProcess(Opening(label, model, own, level)))
            on_error.callback(devices[-1].close)
        engine = DevicesEngine(devices, [each.opened() for each in devices], metrics)
        on_error.pop_all()
    _log.info(
        "%d devices: %s; %s, %d windows per batch",
        len(names),
        ", ".join(names),
        engine.compute_type,
        engine.batch_size,
    )
    return engine
