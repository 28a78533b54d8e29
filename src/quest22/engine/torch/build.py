"""Opens a checkpoint on a device of PyTorch, with caches as large as its memory allows."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace

import torch

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.load import Checkpoint
from quest22.engine.backend import explain
from quest22.engine.batch_size import choose_batch_size
from quest22.engine.draft import check_draft, shares_encoder, tell_draft, warn_of_slow
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.device import Placement, choose_placement
from quest22.engine.torch.layers import Places
from quest22.engine.torch.memory import (
    bytes_at_once,
    cache_bytes,
    free_and_total,
    is_out_of_memory,
    layer_bytes,
    too_large,
    weight_bytes,
)
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.self_check import check_device
from quest22.engine.torch.speculative import TorchDraft, computed_costs
from quest22.engine.torch.weights import Residency
from quest22.errors import EngineError, UsageError
from quest22.settings import EngineSettings
from quest22.system.machine import quota_cores

MAX_ROWS = 128
"""Windows decoded at once: more gain nothing, since each reads keys and values of its own."""

HELD_A_ROW = 2
"""Windows whose sound is held, for each that is decoded: the others wait, or have just ended."""

BATCH_A_ROW = 4
"""Windows in a batch, for each that is decoded at once: places stay empty at its end alone."""

ENCODED_AT_ONCE = 16
WEIGHTS_SHARE = 0.8
"""Of the free memory; a model with larger weights has them copied to the device in turn."""

STREAMED_SHARE = 0.5
"""Of the free memory, for the weights of such a model: more windows at once need fewer copies."""

HOST_SHARE = 0.5
"""Of the machine's free memory, for layers of such a model that are not on its GPU."""

MEMORY_SHARE = 0.7
"""Of the memory that is free once weights are loaded; the rest is for what layers compute."""

_log = logging.getLogger("quest22")


def open_torch_backend(
    checkpoint: Checkpoint, settings: EngineSettings, draft: Checkpoint | None = None
) -> TorchBackend:
    """A checkpoint on the device that the settings name, perhaps with a draft model.

    Raises :class:`UsageError` for a device or compute type that is not there and for a draft that
    does not fit, and :class:`EngineError` if memory runs out or the device computes wrongly.
    """
    placement = choose_placement(settings.device, settings.compute_type)
    threads = settings.cpu_threads or quota_cores()
    if placement.device.type == "cpu" and threads:
        torch.set_num_threads(threads)
    try:
        if placement.device.type == "mps":
            check_device(checkpoint.weights, checkpoint.dimensions, placement)
        residency = choose_residency(checkpoint.dimensions, placement, settings.device_map)
        model = WhisperModel(checkpoint.weights, checkpoint.dimensions, placement, residency)
        drafting = None if draft is None else _open_draft(checkpoint, draft, placement)
        decoders = checkpoint.dimensions
        if draft is not None and drafting is not None:
            decoders = _decoders(checkpoint, draft)
        shape = choose_shape(decoders, placement, settings.batch_size)
        batch = choose_batch(shape, placement, settings.batch_size)
        backend = TorchBackend(checkpoint, model, shape, drafting, batch)
    except (RuntimeError, MemoryError) as exc:
        if is_out_of_memory(exc):
            raise EngineError(too_large(checkpoint.dimensions, placement)) from exc
        raise EngineError(explain(f"the model does not run on {placement.device}", exc)) from exc
    _log.info(
        "engine torch: PyTorch %s on %s; %s, %d windows per batch, %d of them at once",
        torch.__version__,
        _device_name(placement.device),
        placement.compute_type,
        backend.batch_size,
        backend.shape.rows,
    )
    return backend


def choose_residency(dims: Dimensions, placement: Placement, device_map: str) -> Residency | None:
    """Where the layers are of a model that its device has no memory for; None if all fit, or must.

    The decoder's have the faster places: they are needed for every token. Raises
    :class:`EngineError` where not even those fit that are there at a time, and
    :class:`UsageError` for an encoder in float8.
    """
    device = placement.device
    free, _ = free_and_total(device)
    whole = weight_bytes(dims, placement)
    if device_map == "off" or device.type == "mps" or not free or whole <= WEIGHTS_SHARE * free:
        return None
    if placement.fp8_encoder:  # whose layers differ, and take turns in buffers of one shape
        raise UsageError(
            "compute type 'fp8_encoder' is for models that their device holds as a whole, and this "
            "one is larger: choose another compute type with --device-map auto"
        )
    sizes = encoder, decoder = layer_bytes(dims, placement)
    rest = whole - encoder * dims.encoder_layers - decoder * dims.decoder_layers
    held = bytes_at_once(dims, placement)
    budget = int(STREAMED_SHARE * free) - rest - held
    if budget < 0:
        raise EngineError(too_large(dims, placement, streamed=True))
    layers = (dims.encoder_layers, dims.decoder_layers)
    on_device = _fitting(layers, sizes, budget)
    in_memory = (0, 0)
    if device.type != "cpu":
        budget = _budget_of_host() - held
        left = (layers[0] - on_device[0], layers[1] - on_device[1])
        in_memory = _fitting(left, sizes, max(0, budget))
    residency = Residency(*map(Places, on_device, in_memory))
    _tell_residency(residency, dims, device)
    return residency


def _fitting(layers: tuple[int, int], sizes: tuple[int, int], budget: int) -> tuple[int, int]:
    """How many layers of the encoder, and of the decoder, fit; the decoder's come first."""
    of_decoder = min(layers[1], budget // sizes[1])
    return min(layers[0], (budget - of_decoder * sizes[1]) // sizes[0]), of_decoder


def _budget_of_host() -> int:
    """Memory of the machine for layers that wait for their turn on a GPU."""
    free, total = free_and_total(torch.device("cpu"))
    return int(HOST_SHARE * free) if total else sys.maxsize


def _tell_residency(residency: Residency, dims: Dimensions, device: torch.device) -> None:
    where = "this machine's memory" if device.type == "cpu" else str(device)
    told = []
    for name, places, count in (
        ("decoder", residency.decoder, dims.decoder_layers),
        ("encoder", residency.encoder, dims.encoder_layers),
    ):
        from_files = count - places.on_device - places.in_memory
        told.append(
            f"of {count} layers of the {name} {places.on_device} stay there, {places.in_memory} "
            f"are copied from memory and {from_files} read from files when they are needed"
        )
    _log.info("the model is larger than %s: %s", where, "; ".join(told))


def _decoders(checkpoint: Checkpoint, draft: Checkpoint) -> Dimensions:
    """The model's dimensions, with as many layers as take the memory of both decoders' caches."""
    dims = checkpoint.dimensions
    more = -(-draft.dimensions.decoder_layers * draft.dimensions.d_model // dims.d_model)
    return replace(dims, decoder_layers=dims.decoder_layers + more)


def _open_draft(
    checkpoint: Checkpoint, draft: Checkpoint, placement: Placement
) -> TorchDraft | None:
    """A draft model; None where no guess would pay, and the log says so.

    Raises :class:`UsageError` for one that does not fit.
    """
    check_draft(checkpoint, draft)
    costs = computed_costs(checkpoint.dimensions, draft.dimensions, placement)
    if not costs.ever_pays:
        warn_of_slow(checkpoint, draft, costs)
        return None
    shares = shares_encoder(checkpoint, draft)
    tell_draft(draft, costs, shares=shares)
    return TorchDraft(WhisperModel(draft.weights, draft.dimensions, placement), costs, shares)


def choose_shape(dims: Dimensions, placement: Placement, batch_size: int | None) -> BatchShape:
    """Caches for batches of ``batch_size`` windows, or as large as memory beside the weights.

    What memory holds is rounded, so that a run finds the same shape again.
    """
    if placement.device.type != "cuda":
        windows = batch_size or choose_batch_size(dims, "f32")
        return BatchShape(windows, windows, 1)
    free, _ = torch.cuda.mem_get_info(placement.device)
    window, row = cache_bytes(dims, placement)
    most = int(MEMORY_SHARE * free) // (HELD_A_ROW * window + row)
    if most > ENCODED_AT_ONCE:
        most -= most % ENCODED_AT_ONCE
    rows = max(1, min(MAX_ROWS, most, batch_size or MAX_ROWS))
    held = HELD_A_ROW * rows
    return BatchShape(min(held, batch_size or held), rows, ENCODED_AT_ONCE)


def choose_batch(shape: BatchShape, placement: Placement, batch_size: int | None) -> int:
    """How many windows a batch has: those that were asked for, or enough to fill places again."""
    if batch_size is not None:
        return batch_size
    return BATCH_A_ROW * shape.rows if placement.device.type == "cuda" else shape.windows


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    return "the CPU" if device.type == "cpu" else str(device)
