"""Builds the backend for a CPU from its parts, and logs which parts run where, and why.

The decoder runs in C if there is a native library for the processor and the precision,
else as an OpenVINO graph; the same goes for the encoder, independently. Alignment is always a
graph.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.load import Checkpoint
from quest22.decoding.draft_length import StepCosts
from quest22.engine.batch_size import choose_batch_size, choose_encoded_at_once
from quest22.engine.cpu_backend import (
    CpuBackend,
    CpuParts,
    DecoderNetwork,
    DraftParts,
    EncoderRunner,
)
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.draft import check_draft, joined, shares_encoder, tell_draft, warn_of_slow
from quest22.engine.draft_costs import measure_costs
from quest22.engine.native.decoder_network import Formats, NativeDecoderNetwork
from quest22.engine.native.encoder import (
    NativeEncoder,
    NativeEncoderRunner,
    QuantizingEncoderRunner,
)
from quest22.engine.openvino.aligner import GraphAligner
from quest22.engine.openvino.compiled_graphs import CompiledGraphs
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.decoder import GraphDecoderNetwork, build_decoder
from quest22.engine.openvino.encoder import GraphEncoderRunner, build_encoder
from quest22.engine.precision import Precision, check_int4, is_replaced
from quest22.env import native_library
from quest22.errors import UsageError
from quest22.native.library import elements, instruction_set, open_library
from quest22.settings import EngineSettings
from quest22.system.machine import processor_flags, usable_cores

_log = logging.getLogger("quest22")


def open_compiler(device: str, compute_type: str, threads: int | None) -> Compiler:
    """OpenVINO's compiler in the precision for this machine, its native library included."""
    return Compiler.open(device, compute_type, threads, elements(open_library()))


def _compiler(settings: EngineSettings) -> Compiler:
    """As :func:`open_compiler`, without the library for ``--engine openvino``.

    Raises :class:`UsageError`, too, where nothing computes int4.
    """
    formats = elements(None if settings.engine == "openvino" else open_library())
    compiler = Compiler.open(settings.device, settings.compute_type, settings.cpu_threads, formats)
    precision = compiler.precision
    in_c = precision.int16 or "bf16" in formats & {precision.activations}
    if precision.int4 and not in_c:
        raise UsageError(
            f"compute type {settings.compute_type!r} needs the native library, which has none for "
            f"{precision.name.removeprefix('int4_')} here: choose int8, or --engine torch"
        )
    return compiler


@dataclass(frozen=True, slots=True)
class CpuChoice:
    """The engine of a model on the CPU, ``native`` or ``openvino``, and why it is not ``native``.

    ``wanted`` is false where a compute type is replaced, because this processor does not compute
    it.
    """

    name: str
    compute_type: str
    why: str = ""
    wanted: bool = True


def choose_cpu_engine(dims: Dimensions, settings: EngineSettings) -> CpuChoice:
    """What :func:`open_cpu_backend` takes for a model of this shape; raises as it does."""
    native = settings.engine != "openvino"
    precision = _compiler(settings).precision
    if precision.int4:
        check_int4(dims)
    wanted = not is_replaced(settings.compute_type, precision)
    if native and NativeDecoderNetwork.supports(dims, _decoder_formats(precision)):
        return CpuChoice("native", precision.name, wanted=wanted)
    why = _why_not_native("decoder", precision.name, native=native)
    return CpuChoice("openvino", precision.name, why, wanted)


def open_cpu_backend(
    checkpoint: Checkpoint, settings: EngineSettings, draft: Checkpoint | None = None
) -> CpuBackend:
    """A checkpoint on the CPU, in C where there is a library for it; perhaps with a draft model.

    ``--engine openvino`` leaves the library out; ``native`` requires it for the decoder, and so
    does a draft. Raises :class:`UsageError` for a device or compute type that does not exist, an
    engine that does not run here and a draft that does not fit, and :class:`EngineError` if the
    model cannot be compiled or memory runs out.
    """
    native = settings.engine != "openvino"
    compiler = _compiler(settings)
    graphs = CompiledGraphs.of(checkpoint, compiler)
    threads = settings.cpu_threads or usable_cores()
    decoder = open_decoder(checkpoint, graphs, threads, native=native)
    if settings.engine == "native" and not isinstance(decoder, NativeDecoderNetwork):
        why = _why_not_native("decoder", compiler.precision.name)
        raise UsageError(f"engine native cannot run: {why}; choose --engine auto")
    batch_size = settings.batch_size or choose_batch_size(
        checkpoint.dimensions, decoder.kv_element, cores=settings.cpu_threads
    )
    guesser = None
    if draft is not None:
        guesser = _open_guesser(checkpoint, draft, decoder, compiler, batch_size, threads)
    heard, encoder_graphs = checkpoint, graphs
    shared = guesser is not None and shares_encoder(checkpoint, guesser.checkpoint)
    if guesser is not None and shared:  # one encoder fills the layers of both decoders
        heard = joined(checkpoint, guesser.checkpoint)
        encoder_graphs = CompiledGraphs.of(heard, compiler)
    cache = CrossKVCache(heard.dimensions, batch_size, decoder.kv_element)
    encoder = open_encoder(heard, encoder_graphs, decoder, cache, threads, native=native)
    own = checkpoint.dimensions.decoder_layers
    cross_kv = cache.part(range(own)) if shared else cache
    drafting = (
        None
        if guesser is None
        else guesser.parts(cache.part(range(own, cache.layers)), shared=shared)
    )
    aligner = GraphAligner(checkpoint, graphs, cross_kv.element)

    def release_files() -> None:
        for each in (graphs, encoder_graphs, *([guesser.graphs] if guesser else [])):
            each.release_files()

    one_at_a_time = choose_encoded_at_once(batch_size, threads) == 1
    same = isinstance(decoder, NativeDecoderNetwork) and (one_at_a_time or _is_native(encoder))
    parts = CpuParts(encoder, decoder, aligner, cross_kv, release_files, same, drafting)
    name = "native" if isinstance(decoder, NativeDecoderNetwork) else "openvino"
    backend = CpuBackend(name, compiler.precision.name, checkpoint.tokens, parts)
    if is_replaced(settings.compute_type, compiler.precision):
        _log.warning(
            "this processor does not compute %s: %s is used",
            settings.compute_type,
            backend.compute_type,
        )
    _log_choice(backend, parts, threads, native=native)
    return backend


@dataclass(frozen=True, slots=True)
class _Guesser:
    """A draft model whose steps are fast enough to pay."""

    checkpoint: Checkpoint
    graphs: CompiledGraphs
    model: NativeDecoderNetwork
    decoder: NativeDecoderNetwork
    costs: StepCosts
    threads: int

    def parts(self, shared_kv: CrossKVCache, *, shared: bool) -> DraftParts:
        """With the keys and values that the model's encoder makes, or an encoder of its own."""
        tell_draft(self.checkpoint, self.costs, shares=shared)
        if shared:
            return DraftParts(self.model, self.decoder, shared_kv, self.costs)
        cross_kv = CrossKVCache(self.checkpoint.dimensions, shared_kv.rows, self.decoder.kv_element)
        encoder = open_encoder(self.checkpoint, self.graphs, self.decoder, cross_kv, self.threads)
        return DraftParts(self.model, self.decoder, cross_kv, self.costs, encoder)


def _open_guesser(
    checkpoint: Checkpoint,
    draft: Checkpoint,
    model: DecoderNetwork,
    compiler: Compiler,
    batch_size: int,
    threads: int,
) -> _Guesser | None:
    """None where the draft's steps take so long that no guess would pay; the log says so.

    Raises :class:`UsageError` for a draft that does not fit, and where the decoders are not in C.
    """
    check_draft(checkpoint, draft)
    graphs = CompiledGraphs.of(draft, compiler)
    decoder = open_decoder(draft, graphs, threads, native=isinstance(model, NativeDecoderNetwork))
    if not isinstance(model, NativeDecoderNetwork) or not isinstance(decoder, NativeDecoderNetwork):
        why = _why_not_native("decoder", compiler.precision.name)
        raise UsageError(
            f"--draft-model needs decoders of engine native or torch ({why}): leave it out, or "
            "choose --engine torch"
        )
    both = ((model, checkpoint.dimensions), (decoder, draft.dimensions))
    costs = measure_costs(both, batch_size)
    if not costs.ever_pays:
        warn_of_slow(checkpoint, draft, costs)
        return None
    return _Guesser(draft, graphs, model, decoder, costs, threads)


def open_decoder(
    checkpoint: Checkpoint, graphs: CompiledGraphs, threads: int, *, native: bool = True
) -> DecoderNetwork:
    """A checkpoint's decoder in the precision of its graphs: in C where possible, else a graph.

    Raises :class:`EngineError` if memory runs out or the graph cannot be compiled, and
    :class:`UsageError` for a model that int4 does not fit.
    """
    weights, dims, precision = checkpoint.weights, checkpoint.dimensions, graphs.compiler.precision
    element, int8 = precision.activations, precision.int8
    formats = _decoder_formats(precision)
    if precision.int4:
        check_int4(dims)
    in_c = NativeDecoderNetwork.open(weights, dims, formats, threads) if native else None
    return in_c or GraphDecoderNetwork(
        graphs.open("decoder", lambda: build_decoder(weights, dims, element, int8)), element
    )


def _decoder_formats(precision: Precision) -> Formats:
    return Formats(
        precision.activations, precision.int8, precision.int8_kv, precision.int16, precision.int4
    )


def open_encoder(
    checkpoint: Checkpoint,
    graphs: CompiledGraphs,
    decoder: DecoderNetwork,
    cross_kv: CrossKVCache,
    threads: int,
    *,
    native: bool = True,
) -> EncoderRunner:
    """A checkpoint's encoder for the rows of ``cross_kv``: in C where possible, else a graph.

    If ``decoder`` reads int8, the encoder's output is quantized. Raises :class:`EngineError` if
    memory runs out.
    """
    at_once = choose_encoded_at_once(cross_kv.rows, threads)
    if not isinstance(decoder, NativeDecoderNetwork) or decoder.kv_element != "i8":
        return _open_float_encoder(checkpoint, graphs, cross_kv, threads, native=native)
    floats = CrossKVCache(checkpoint.dimensions, at_once, graphs.compiler.precision.activations)
    encoder = _open_float_encoder(checkpoint, graphs, floats, threads, native=native)
    return QuantizingEncoderRunner(encoder, floats, decoder, cross_kv, at_once)


def _open_float_encoder(
    checkpoint: Checkpoint,
    graphs: CompiledGraphs,
    cross_kv: CrossKVCache,
    threads: int,
    *,
    native: bool,
) -> EncoderRunner:
    weights, dims, precision = checkpoint.weights, checkpoint.dimensions, graphs.compiler.precision
    element, int8 = cross_kv.element, precision.int8
    at_once = choose_encoded_at_once(cross_kv.rows, threads)
    if native and int8 == precision.quantized:
        encoder = NativeEncoder.open(weights, dims, precision, threads)
        if encoder is not None:
            return NativeEncoderRunner(encoder, cross_kv, at_once)
    return GraphEncoderRunner(
        lambda streams, frames: graphs.open(
            f"encoder of {frames} frames",
            lambda: build_encoder(weights, dims, element, int8, frames),
            streams,
        ),
        cross_kv,
        at_once,
    )


def _is_native(encoder: EncoderRunner) -> bool:
    if isinstance(encoder, QuantizingEncoderRunner):
        encoder = encoder.encoder
    return isinstance(encoder, NativeEncoderRunner)


def _log_choice(backend: CpuBackend, parts: CpuParts, threads: int, *, native: bool) -> None:
    """Log which parts run where, and why a part is not native."""
    runs = {
        "decoder": isinstance(parts.decoder, NativeDecoderNetwork),
        "encoder": _is_native(parts.encoder),
    }
    described = [
        f"{part} in C for {instruction_set()}"
        if in_c
        else f"{part} on OpenVINO ({_why_not_native(part, backend.compute_type, native=native)})"
        for part, in_c in runs.items()
    ]
    _log.info(
        "engine %s: %s; %s, %d windows per batch, %d threads",
        backend.name,
        ", ".join(described),
        backend.compute_type,
        backend.batch_size,
        threads,
    )


def _why_not_native(part: str, compute_type: str, *, native: bool = True) -> str:
    if not native:
        return "as --engine says"
    if native_library() == "off":
        return "QUEST22_NATIVE is off"
    if open_library() is None:
        return "no native library for this processor"
    if part == "encoder" and "amx_bf16" in processor_flags():
        return "faster with AMX"
    return f"the native library does not run {compute_type} or this model's shape"
