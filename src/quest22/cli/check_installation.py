"""What the doctor looks at in the installation: Python, packages, engine, codecs, telemetry."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata, resources

import quest22
from quest22.cli.finding import Finding, missing, note

OLDEST_PYTHON = (3, 10)
EMBEDDED_MODEL = "nano"


def check_python() -> Finding:
    """The product, the interpreter and the system."""
    found = f"quest22 {quest22.__version__} · Python {platform.python_version()} · "
    found += f"{platform.system()} {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON:
        return missing("version", found, "install Python 3.10 or later")
    return Finding("version", found)


def check_packages() -> Iterator[Finding]:
    """Every package that the product needs, as its own metadata lists them."""
    versions = {name: _version(name) for name in _requirements()}
    absent = [name for name, version in versions.items() if version is None]
    here = (f"{name} {version}" for name, version in versions.items() if version)
    yield Finding("packages", " · ".join(here))
    if absent:
        names = " ".join(absent)
        yield missing("packages", f"not installed: {names}", f"run: pip install {names}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _requirements() -> Iterable[str]:
    """Names of the required packages, extras left out."""
    try:
        lines = metadata.requires("quest22") or []
    except metadata.PackageNotFoundError:
        lines = ["av", "datasets", "huggingface_hub", "numpy", "openvino", "soxr", "tokenizers"]
    wanted = (line for line in lines if "extra ==" not in line)
    return sorted(_distribution(line) for line in wanted)


def _distribution(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if c in "[<>=!~; ("), len(requirement))
    return requirement[:end]


def check_engine() -> Finding:
    """The inference library, the device and the precision that ``auto`` chooses there."""
    try:
        from quest22.engine.build import open_compiler

        compiler = open_compiler("auto", "auto", None)
        name = compiler.core.get_property("CPU", "FULL_DEVICE_NAME")
    except (ImportError, OSError, RuntimeError) as exc:
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        return missing("engine", f"OpenVINO does not load: {reason}", "run: pip install openvino")
    return Finding("engine", f"OpenVINO on {name} · auto means {compiler.precision.name}")


def check_native() -> Finding:
    """The native library: made at installation, where there is a C compiler."""
    from quest22.native.library import instruction_set
    from quest22.settings import native_library

    if native_library() == "off":
        return note("native", "switched off", "QUEST22_NATIVE=on is faster")
    name = instruction_set()
    if name is None:
        advice = "to be faster install a C compiler, such as gcc, then quest22 again"
        return note("native", "no library for this processor: OpenVINO alone", advice)
    only = "" if name.endswith("bf16") else "; what is in bfloat16 runs on OpenVINO"
    return Finding("native", f"machine code for {name}{only}")


def check_model() -> Finding:
    """The checkpoint that works without a network."""
    folder = resources.files("quest22.checkpoint") / EMBEDDED_MODEL
    if not (folder / "model.safetensors").is_file():
        return missing("model", "the embedded model nano is not there", "install quest22 again")
    return Finding("model", "nano is embedded: works without a network")


def check_codecs() -> Finding:
    """Which formats of sound the decoder was built with."""
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
    """No library may report usage: the Hub's switch, and OpenVINO's reporter."""
    running = "openvino_telemetry" in sys.modules and sys.modules["openvino_telemetry"] is not None
    if running or os.environ.get("HF_HUB_DISABLE_TELEMETRY") != "1":
        return note("telemetry", "a library may report usage", "please report this as a bug")
    return Finding("telemetry", "off in every library")
