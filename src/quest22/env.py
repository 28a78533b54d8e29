"""The process environment: the only module that reads or sets environment variables."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from quest22.errors import UsageError

DEFAULT_GRAPH_CACHE_MB = "4000"


def cache_folder() -> Path:
    """Where rebuildable files are kept: ``$QUEST22_CACHE``, else the user's cache folder."""
    named = os.environ.get("QUEST22_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quest22"


def openai_whisper_folder() -> Path:
    """Where openai/whisper keeps its checkpoints."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"


def with_cache_folder(folder: Path) -> dict[str, str]:
    """The environment for a child process that uses another cache folder."""
    return os.environ | {"QUEST22_CACHE": str(folder)}


def with_one_gpu(number: int) -> dict[str, str]:
    """The environment for a child process that is to see one GPU of those that this one sees."""
    name = "HIP_VISIBLE_DEVICES" if "HIP_VISIBLE_DEVICES" in os.environ else "CUDA_VISIBLE_DEVICES"
    seen = os.environ.get(name, "")
    listed = [each.strip() for each in seen.split(",")] if seen else []
    return os.environ | {name: listed[number] if number < len(listed) else str(number)}


def graph_cache_bytes() -> int:
    """The size limit of the compiled-graph cache: ``$QUEST22_GRAPH_CACHE_MB``, else 4 GB.

    Raises :class:`UsageError` if the variable is not a number.
    """
    megabytes = os.environ.get("QUEST22_GRAPH_CACHE_MB", DEFAULT_GRAPH_CACHE_MB)
    if not megabytes.isdigit():
        raise UsageError(
            f"QUEST22_GRAPH_CACHE_MB is {megabytes!r}: expected megabytes, or 0 for no cache"
        )
    return int(megabytes) * 1_000_000


def native_library() -> str:
    """``$QUEST22_NATIVE``: ``on`` (the best library that runs), ``off``, or an instruction set."""
    return os.environ.get("QUEST22_NATIVE") or "on"


def engine_threads() -> int | None:
    """``$QUEST22_THREADS``: CPU threads of an engine that is not told how many; None: all cores.

    Raises :class:`UsageError` if the variable is not such a number.
    """
    threads = os.environ.get("QUEST22_THREADS") or None
    if threads is not None and (not threads.isdecimal() or int(threads) < 1):
        raise UsageError(f"QUEST22_THREADS is {threads!r}: expected a number of threads")
    return None if threads is None else int(threads)


def c_compiler() -> str | None:
    """The C compiler that ``$CC`` names: Triton compiles with it."""
    return os.environ.get("CC") or None


def hub_token() -> str | None:
    """The Hub access token in ``$HF_TOKEN``, for gated and private repositories."""
    return os.environ.get("HF_TOKEN") or None


def silence_telemetry() -> None:
    """Disable all usage reports of libraries. Call it before importing any of them."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_DATASETS_DISABLE_TELEMETRY"):
        os.environ[name] = "1"
    os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # OpenVINO's telemetry is a separate package that starts a thread; None makes its import fail.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def confine_ray() -> None:
    """Let a Ray cluster that this process starts be reached from this machine alone.

    Call it before importing Ray. It binds to loopback if it thinks that there are no clusters, as
    on Windows, by a variable that any system reads. Its workers are as nice as this process, not
    nicer, as is its default.
    """
    silence_telemetry()
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ.setdefault("RAY_worker_niceness", "0")


def is_telemetry_silenced() -> bool:
    """Whether :func:`silence_telemetry` has been called."""
    return os.environ.get("HF_HUB_DISABLE_TELEMETRY") == "1"


def disable_torch() -> None:
    """Keep ``datasets`` from importing an installed PyTorch, which takes seconds and is not needed.

    Only for the command: a program that imports quest22 may want both.
    """
    os.environ.setdefault("USE_TORCH", "0")


def request_completion_script(shell: str) -> None:
    """Make the command's parser print the script that completes it in ``shell``, when it starts."""
    os.environ["_QUEST22_COMPLETE"] = f"source_{shell}"


def silence_progress_bars() -> None:
    """Disable the Hub library's download bars, which nobody would see."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"


def bypass_proxy(host: str) -> None:
    """Reach ``host`` directly even if the environment names a proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        others = os.environ.get(name)
        os.environ[name] = f"{others},{host}" if others else host
