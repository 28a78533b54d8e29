"""A checkpoint's compiled graphs: from the cache on the disk, else built, compiled and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from quest22.checkpoint.load import Checkpoint
from quest22.checkpoint.weights import Weights
from quest22.engine.openvino.compiler import DEVICE, Compiler
from quest22.engine.openvino.graph_cache import GraphCache, release_tensor
from quest22.env import cache_folder, graph_cache_bytes
from quest22.system.machine import processor_flags


@dataclass(frozen=True, slots=True)
class CompiledGraphs:
    """Opens graphs by name. Must live as long as they do: they read the files that it mapped.

    ``checkpoint_id`` tells the weights and the shape apart; empty: nothing is kept. ``weights``
    give back their memory when a graph was built of them.
    """

    compiler: Compiler
    cache: GraphCache
    checkpoint_id: str
    weights: Weights | None = None
    _mapped: list[Any] = field(default_factory=list, repr=False)
    _new: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, checkpoint: Checkpoint, compiler: Compiler) -> CompiledGraphs:
        """The graphs of a checkpoint, kept in the user's cache folder."""
        weights = checkpoint.weights if isinstance(checkpoint.weights, Weights) else None
        identity = f"{weights.cache_key()} {checkpoint.dimensions}" if weights else ""
        kept = GraphCache(cache_folder() / "graphs", graph_cache_bytes())
        return cls(compiler, kept, identity, weights)

    def open(self, name: str, build: Callable[[], ov.Model], streams: int = 1) -> ov.CompiledModel:
        """The graph that ``build`` makes, compiled. Raises :class:`EngineError` as compiling does.

        What ``build`` makes may depend only on its source in this folder, the name, the
        checkpoint and the precision: these are what a kept graph is found by.
        """
        if not self.checkpoint_id:
            return self._built(build, streams)
        key = self._key(name, streams)
        compiled = self._kept(key, streams)
        if compiled is None:
            compiled = self._built(build, streams)
            self.cache.store(key, compiled.export_model)
            # Opened anew it takes less: what compiling needed stays with what it made.
            compiled = self._kept(key, streams) or compiled
        return compiled

    def _built(self, build: Callable[[], ov.Model], streams: int) -> ov.CompiledModel:
        compiled = self.compiler.compile(build(), streams)
        if self.weights is not None:
            self.weights.release()
        return compiled

    def settle(self) -> None:
        """Give back the memory of the files of kept graphs, once they have run.

        By then they have laid out most weights anew for the processor; they write to none, and
        what they go on to use of a file is mapped again.
        """
        while self._new:
            release_tensor(self._new.pop())

    def _kept(self, key: str, streams: int) -> ov.CompiledModel | None:
        content = self.cache.load(key)
        if content is None:
            return None
        tensor = ov.Tensor(content, shared_memory=True)
        try:
            compiled = self.compiler.restore(tensor, streams)
        except (RuntimeError, MemoryError):  # from another build of the library, or damaged
            self.cache.drop(key)
            return None
        self._mapped.append(content)
        self._new.append(content)
        return compiled

    def _key(self, name: str, streams: int) -> str:
        core = self.compiler.core
        parts = [
            name,
            self.checkpoint_id,
            self.compiler.precision.name,
            {key: str(value) for key, value in self.compiler.properties(streams).items()},
            version("quest22"),
            _source_digest(),
            ov.get_version(),
            core.get_property(DEVICE, "FULL_DEVICE_NAME"),
            sorted(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")),
            processor_flags(),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@cache
def _source_digest() -> str:
    """A digest of the code that builds graphs: a change to it makes new ones."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
