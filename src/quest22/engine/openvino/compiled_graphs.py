"""A checkpoint's compiled graphs: from the cache on disk, else built, compiled and stored."""

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
    """Opens graphs by name. Must live as long as they do: they read the files that it maps.

    ``checkpoint_id`` identifies the weights and the shape; empty: nothing is cached. ``weights``
    release their memory once a graph is built from them.
    """

    compiler: Compiler
    cache: GraphCache
    checkpoint_id: str
    weights: Weights | None = None
    _mapped: list[Any] = field(default_factory=list, repr=False)
    _unreleased: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, checkpoint: Checkpoint, compiler: Compiler) -> CompiledGraphs:
        """The graphs of a checkpoint, cached in the user's cache folder."""
        weights = checkpoint.weights if isinstance(checkpoint.weights, Weights) else None
        identity = f"{weights.cache_key()} {checkpoint.dimensions}" if weights else ""
        cache = GraphCache(cache_folder() / "graphs", graph_cache_bytes())
        return cls(compiler, cache, identity, weights)

    def open(self, name: str, build: Callable[[], ov.Model], streams: int = 1) -> ov.CompiledModel:
        """The graph that ``build`` returns, compiled for ``streams`` requests at once.

        It may depend only on the source code in this folder, the name, the checkpoint and the
        precision: cached graphs are found by these. Raises as :meth:`Compiler.compile`.
        """
        if not self.checkpoint_id:
            return self._compile(build, streams)
        key = self._key(name, streams)
        compiled = self._load(key, streams)
        if compiled is None:
            compiled = self._compile(build, streams)
            self.cache.store(key, compiled.export_model)
            # From the cache it takes less memory: a compiled model keeps what it was built from.
            compiled = self._load(key, streams) or compiled
        return compiled

    def _compile(self, build: Callable[[], ov.Model], streams: int) -> ov.CompiledModel:
        compiled = self.compiler.compile(build(), streams)
        if self.weights is not None:
            self.weights.release()
        return compiled

    def release_files(self) -> None:
        """Release the memory of mapped files, once the graphs loaded from them have run.

        By then most weights are repacked for the processor. Graphs write to no file, and pages
        that they still read are mapped again.
        """
        while self._unreleased:
            release_tensor(self._unreleased.pop())

    def _load(self, key: str, streams: int) -> ov.CompiledModel | None:
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
        self._unreleased.append(content)
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
    """A digest of the code that builds graphs: changed code finds no cached graph."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
