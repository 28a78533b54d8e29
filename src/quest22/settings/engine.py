"""Which checkpoint runs, on which device and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from quest22.env import engine_threads
from quest22.errors import UsageError
from quest22.settings.forms import COUNT_OR_AUTO, DEVICES
from quest22.settings.option import check_at_least, check_choice, declared, option
from quest22.settings.quantization import Quantization, quantized_type

PANEL = "Model"

EngineName: TypeAlias = Literal["auto", "native", "openvino", "torch"]
DeviceMap: TypeAlias = Literal["off", "auto"]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which checkpoint runs, on which device and how.

    A ``model`` of None is the best one in the caches: see :mod:`quest22.checkpoint.caches`.
    """

    model: str | None = option(
        None,
        flags=("--model", "-m"),
        help="Short name ([cyan]base[/], [cyan]turbo[/] …), repository on the Hub, or folder. "
        "[cyan]quest22 models[/] lists the short names, [cyan]tiny[/] … [cyan]large-v3-turbo[/].",
        metavar="NAME|ID|FOLDER",
        unset="the best one in the caches",
        panel=PANEL,
    )
    revision: str | None = option(
        None,
        name="model_revision",
        flags="--model-revision",
        help="Branch, tag or commit of the model.",
        metavar="REV",
        panel=PANEL,
    )
    engine: EngineName = option(
        "auto",
        flags="--engine",
        help="What runs the model: [cyan]auto[/] (PyTorch where there is a CUDA GPU for it, else "
        "the CPU), [cyan]native[/] or [cyan]openvino[/] (CPU), or [cyan]torch[/].",
        panel=PANEL,
    )
    draft_model: str | None = option(
        None,
        flags="--draft-model",
        help="A smaller model with the same tokens, such as distil-whisper's, that guesses what "
        "the model then checks, several tokens at once: the same text. Named as [cyan]--model[/] "
        "is.",
        metavar="NAME|ID|FOLDER",
        unset="none",
        panel=PANEL,
    )
    device: str = option(
        "auto",
        flags="--device",
        help="Where the model runs: [cyan]auto[/], [cyan]cpu[/], [cyan]cuda[/], [cyan]cuda:1[/] … "
        "or [cyan]mps[/].",
        metavar="NAME",
        panel=PANEL,
    )
    devices: tuple[str, ...] = option(
        (),
        flags="--devices",
        form=DEVICES,
        help="Several devices that share the work, with a process each: [cyan]all[/] (all GPUs), "
        "[cyan]0,1,3[/] (GPUs by number), or [cyan]cpu,cpu[/].",
        metavar="NAMES",
        unset="one, as --device has it",
        panel=PANEL,
    )
    device_map: DeviceMap = option(
        "off",
        flags="--device-map",
        help="[cyan]auto[/]: layers that do not fit into a GPU's memory stay in the machine's or, "
        "if that is full, in their files, and come when they are needed. [cyan]off[/]: all layers "
        "are on the device.",
        panel=PANEL,
    )
    compute_type: str = option(
        "auto",
        flags=("--compute-type", "--dtype"),
        help="Precision of the computation: [cyan]auto[/] (the fastest one without int8 weights), "
        "[cyan]float32[/], [cyan]bfloat16[/], [cyan]int8[/], [cyan]int8_kv[/] …",
        metavar="TYPE",
        panel=PANEL,
    )
    quantization: Quantization = option(
        "none",
        flags="--quantization",
        help="Keep weights in [cyan]int8[/] or [cyan]int4[/], for less memory, and multiply as "
        "[cyan]--compute-type[/] says. [cyan]none[/]: weights, too, are as it says.",
        panel=PANEL,
    )
    batch_size: int | None = option(
        None,
        flags="--batch-size",
        form=COUNT_OR_AUTO,
        help="Windows per batch, or [cyan]auto[/].",
        metavar="N",
        panel=PANEL,
    )
    threads: int | None = option(
        None,
        flags="--threads",
        help="CPU threads of the engine.",
        metavar="N",
        unset="$QUEST22_THREADS, else all cores",
        panel=PANEL,
    )
    token: str | None = field(
        default=None,
        repr=False,
        metadata=declared(
            flags="--token",
            help="Access token for gated and private repositories. Prefer [cyan]HF_TOKEN[/] or "
            "[cyan]hf auth login[/]: other users can see a command line.",
            metavar="TOKEN",
            panel=PANEL,
        ),
    )

    def __post_init__(self) -> None:
        if self.devices and self.device.strip().lower() != "auto":
            raise UsageError(
                f"device {self.device!r} and devices {','.join(self.devices)!r}: name one of them"
            )
        check_choice("device_map", self.device_map, get_args(DeviceMap))
        check_choice("engine", self.engine, get_args(EngineName))
        check_choice("quantization", self.quantization, get_args(Quantization))
        quantized = quantized_type(self.compute_type, self.quantization)
        object.__setattr__(self, "compute_type", quantized)
        check_at_least("batch_size", self.batch_size, 1)
        check_at_least("threads", self.threads, 1)

    @property
    def cpu_threads(self) -> int | None:
        """``threads``, else what the environment says; None: all cores."""
        return self.threads or engine_threads()
