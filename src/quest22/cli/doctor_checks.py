"""The checks of ``quest22 doctor``: installation, machine, Hub. Each returns a :class:`Finding`."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import metadata, resources
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import quest22
from quest22.checkpoint.caches import best_cached
from quest22.cli.figures import size
from quest22.env import is_telemetry_silenced
from quest22.system.machine import (
    fast_features,
    memory_bytes,
    processor_flags,
    processor_name,
    quota_cores,
    usable_cores,
)

OLDEST_PYTHON = (3, 10)
EMBEDDED_MODEL = "nano"
ENOUGH_MEMORY = 2_000_000_000
ENOUGH_DISK = 5_000_000_000
HUB_TIMEOUT_S = 5.0
WORKS_OFFLINE = "nano, local models and data, and cached models work offline"


class State(Enum):
    """The mark of a finding; only ``MISSING`` keeps the product from working."""

    GOOD = "✓"
    NOTE = "•"
    MISSING = "✗"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check: its subject, what was found, and how to fix it if needed."""

    subject: str
    found: str
    advice: str = ""
    state: State = State.GOOD


def note(subject: str, found: str, advice: str) -> Finding:
    """Something that is slower than it could be, or that is missing but not required."""
    return Finding(subject, found, advice, State.NOTE)


def missing(subject: str, found: str, advice: str) -> Finding:
    """Something required that is missing."""
    return Finding(subject, found, advice, State.MISSING)


def check_python() -> Finding:
    """The versions of quest22 and Python, and the system."""
    found = f"quest22 {quest22.__version__} · Python {platform.python_version()} · "
    found += f"{platform.system()} {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON:
        return missing("version", found, "install Python 3.10 or later")
    return Finding("version", found)


def check_packages() -> Iterator[Finding]:
    """Every package that quest22's own metadata requires."""
    versions = {name: _version(name) for name in _requirements()}
    absent = [name for name, version in versions.items() if version is None]
    present = (f"{name} {version}" for name, version in versions.items() if version)
    yield Finding("packages", " · ".join(present))
    if absent:
        names = " ".join(absent)
        yield missing("packages", f"not installed: {names}", f"run: pip install {names}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _requirements() -> Iterable[str]:
    """Names of the required packages, without extras."""
    try:
        lines = metadata.requires("quest22") or []
    except metadata.PackageNotFoundError:
        lines = ["av", "datasets", "huggingface_hub", "numpy", "openvino", "soxr", "tokenizers"]
    required = (line for line in lines if "extra ==" not in line)
    return sorted(_distribution(line) for line in required)


def _distribution(requirement: str) -> str:
    """The package's name in a requirement such as ``fsspec[http]>=2024.6``."""
    end = next((i for i, c in enumerate(requirement) if c in "[<>=!~; ("), len(requirement))
    return requirement[:end]


def check_processor() -> Finding:
    """The processor, its usable cores, and its vector extensions."""
    flags = processor_flags()
    features = " ".join(fast_features()) or "no vector extensions found"
    cores = usable_cores()
    usable = f"{cores} {'core' if cores == 1 else 'cores'}"
    if quota_cores():
        usable += ", all that a quota leaves"
    found = f"{processor_name()} · {usable} · {features}"
    if flags and not {"avx2", "asimd"}.intersection(flags):
        return note("processor", found, "works, but slowly: a processor with AVX2 is much faster")
    return Finding("processor", found)


def check_memory() -> Finding:
    """Free memory, and what to do if there is little."""
    available, total = memory_bytes()
    if not total:
        return note("memory", "unknown on this system", "large-v3 needs about 7 GB")
    found = f"{size(available)} of {size(total)} free"
    if available < ENOUGH_MEMORY:
        return note("memory", found, "close other programs, or use nano, tiny or base")
    return Finding("memory", found)


def check_cache(folder: Path | None = None, enough: float = ENOUGH_DISK) -> Finding:
    """Whether a cache folder (default: the Hub's) is writable and has ``enough`` bytes free."""
    folder = folder or _hub_cache()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    found = f"{folder} · {size(free)} free"
    if not os.access(existing, os.W_OK):
        return note("cache", f"{folder} is not writable", "set HF_HOME to a writable folder")
    if free < enough:
        return note("cache", found, "free some space, or set HF_HOME to a folder on a larger disk")
    return Finding("cache", found)


def _hub_cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def check_engine() -> Finding:
    """The inference library, the device, and the precision that ``auto`` chooses."""
    try:
        from quest22.engine.build_cpu import open_compiler

        compiler = open_compiler("auto", "auto", None)
        name = compiler.core.get_property("CPU", "FULL_DEVICE_NAME")
    except (ImportError, OSError, RuntimeError) as exc:
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        return missing("engine", f"OpenVINO does not load: {reason}", "run: pip install openvino")
    return Finding("engine", f"OpenVINO on {name} · auto means {compiler.precision.name}")


def check_native() -> Finding:
    """The native library, which the installation builds if there is a C compiler."""
    from quest22.env import native_library
    from quest22.native.library import instruction_set

    if native_library() == "off":
        return note("native", "switched off", "set QUEST22_NATIVE=on for more speed")
    name = instruction_set()
    if name is None:
        advice = "for more speed install a C compiler such as gcc, then reinstall quest22"
        return note("native", "not built for this processor: OpenVINO runs everything", advice)
    other = "float16" if name.startswith("neon") else "bfloat16"
    only = "" if name.endswith("bf16") else f"; {other} runs on OpenVINO"
    return Finding("native", f"native library for {name}{only}")


def check_model() -> Finding:
    """The embedded checkpoint, which the demo needs, and the best one in the caches."""
    folder = resources.files("quest22.checkpoint") / EMBEDDED_MODEL
    if not (folder / "model.safetensors").is_file():
        return missing("model", "the embedded model nano is missing", "reinstall quest22")
    best = best_cached()
    if best is None:
        advice = "name one to download it, such as -m base; nano is for quest22 demo"
        return note("model", "no model for people's speech is in the caches", advice)
    return Finding("model", f"{best.name} is taken without --model ({best.origin})")


def check_codecs() -> Finding:
    """The audio formats that PyAV can decode."""
    try:
        from quest22.audio.codecs import missing_formats, supported_formats

        absent, present = missing_formats(), supported_formats()
    except (ImportError, OSError) as exc:
        return missing("codecs", f"PyAV does not load: {exc}", "run: pip install av")
    if absent:
        return note(
            "codecs",
            f"{' '.join(present)}; not: {' '.join(absent)}",
            "reinstall av from its wheel: pip install --force-reinstall --only-binary av av",
        )
    return Finding("codecs", " ".join(present))


def check_telemetry() -> Finding:
    """Whether the telemetry of the Hub's client and of OpenVINO is off."""
    running = "openvino_telemetry" in sys.modules and sys.modules["openvino_telemetry"] is not None
    if running or not is_telemetry_silenced():
        return note("telemetry", "a library may report usage", "please report this as a bug")
    return Finding("telemetry", "off in every library")


def check_token() -> Finding:
    """Whether there is a token for gated and private repositories; never shows the token."""
    from huggingface_hub import get_token

    if get_token():
        return Finding("token", "a Hub token is set")
    advice = "only gated and private repositories need one: hf auth login, or HF_TOKEN"
    return note("token", "none", advice)


def check_hub() -> Finding:
    """Whether the Hub (or ``HF_ENDPOINT``) responds; skipped if ``HF_HUB_OFFLINE`` is set."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return note("hub", "HF_HUB_OFFLINE is set", f"unset it to reach the Hub; {WORKS_OFFLINE}")
    endpoint = str(constants.ENDPOINT)
    problem = connection_problem(endpoint)
    if problem:
        advice = f"check the network or HTTPS_PROXY; {WORKS_OFFLINE}"
        return note("hub", f"{endpoint} cannot be reached: {problem}", advice)
    return Finding("hub", f"{endpoint} responds")


def connection_problem(url: str, timeout_s: float = HUB_TIMEOUT_S) -> str | None:
    """Send a HEAD request; what went wrong, or None if the server responded at all."""
    if not url.startswith(("http://", "https://")):
        return "not an http(s) address"
    try:
        with urlopen(Request(url, method="HEAD"), timeout=timeout_s):  # noqa: S310
            return None
    except HTTPError as exc:
        return f"HTTP {exc.code}" if exc.code >= 500 else None
    except (URLError, OSError, ValueError) as exc:
        return str(getattr(exc, "reason", exc))
