"""Build the images of the Dockerfile, and run them as they are to be run.

``python -m tools.image`` needs buildah and podman, and no daemon. It builds the images for CPUs, or
with ``--only cuda`` the one for GPUs, shows how large their layers are, and runs each with a
read-only root, without a network, without privileges and as another user: ``quest22 doctor``,
``demo``, ``transcribe`` a file into a folder, and the server's answer to a request. The image for
GPUs is run on the CPU, through PyTorch. ``--bootstrap`` makes the base image of Debian's packages
with mmdebstrap (as root), for machines that reach no registry of images; ``--release`` is Debian's.
``--cert FILE`` is a certificate authority that pip is to trust, where a proxy needs one, and
``--wheels FOLDER`` has wheels that it prefers, such as PyTorch for CPUs. ``--runtime`` and
``--ulimit`` are podman's, for kernels that its own choice does not suit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet

ROOT = Path(__file__).parent.parent
BASE = "localhost/debian:{}-slim"
MIRROR = "deb http://deb.debian.org/debian {} main"
RELEASE = "trixie"
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
"""What Debian's slim images leave out."""

IMAGES = {
    "cli": "localhost/quest22",
    "cuda": "localhost/quest22-cuda",
    "server": "localhost/quest22-server",
}
"""The stages of the Dockerfile, and what the images are called."""
FOR_CPUS = ("cli", "server")

ISOLATED = (
    *("--read-only", "--network", "none", "--user", "12345:12345"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)
READY_S = 600
"""A machine may be busy."""


def bootstrap(release: str) -> None:
    """Make the base image from Debian's packages: the files that debian:trixie-slim has."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "root.tar")
        options = [f"--dpkgopt=path-exclude={each}" for each in LEFT_OUT]
        options.append("--dpkgopt=force-unsafe-io")  # a crash costs nothing
        run(
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            *options,
            release,
            archive,
            MIRROR.format(release),
        )
        container = run("buildah", "from", "scratch").strip()
        run("buildah", "add", "--quiet", container, archive)
        run("buildah", "commit", "--quiet", "--rm", container, BASE.format(release))


def build(
    stages: Sequence[str], base: str | None, certificate: Path | None, wheels: Path | None
) -> None:
    """Build images; steps that they share are made once."""
    options = ["--isolation", "chroot", "--layers", "--format", "docker"]
    if base:
        options += ["--build-arg", f"BASE={base}"]
    with tempfile.TemporaryDirectory() as folder:
        settings = ["[global]"]
        if certificate:
            settings.append("cert = /run/authority.crt")
            options += ["--volume", f"{certificate}:/run/authority.crt:ro"]
        if wheels:
            settings.append("find-links = /run/wheels")
            options += ["--volume", f"{wheels.resolve()}:/run/wheels:ro"]
        if len(settings) > 1:
            file = Path(folder, "pip.conf")
            file.write_text("\n".join([*settings, ""]), encoding="utf-8")
            options += ["--volume", f"{file}:/etc/pip.conf:ro"]
        for stage in stages:
            image = ("--target", stage, "-t", IMAGES[stage])
            run("buildah", "build", "--quiet", *options, *image, ROOT)


def layers(image: str) -> Iterator[tuple[int, str]]:
    """The bytes of each layer of an image that has any, and the step that made it."""
    shown = json.loads(run("podman", "history", "--format", "json", "--human=false", image))
    for each in reversed(shown):
        if size := int(each["size"]):
            yield size, " ".join(each["CreatedBy"].split())


def check_command(
    image: str, podman: Sequence[str], limits: Sequence[str], *, engine: Sequence[str] = ()
) -> None:
    """Run the command in an image.

    ``podman`` is its command, ``limits`` are options of its ``run``, ``engine`` are flags of ours.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        talk, text = _sample(Path(folder))
        mounted = ("--tmpfs", "/tmp", "-v", f"{folder}:/work")  # noqa: S108
        command = (*podman, "run", "--rm", *limits, *ISOLATED, *mounted, image)
        report = json.loads(run(*command, "doctor", "--json"))
        found = {each["subject"]: each["found"] for each in report["findings"]}
        if not report["complete"] or "native library for" not in found["native"]:
            sys.exit(f"doctor: {json.dumps(report, indent=1)}")
        print(f"doctor: {found['native']}")
        print("demo:", next(line for line in run(*command, "demo").splitlines() if "real" in line))
        model = ("-m", "nano", *engine)
        run(*command, "transcribe", talk.name, *model, "-f", "txt", "-o", "out", "--quiet")
        heard = Path(folder, "out", f"{talk.stem}.txt").read_text(encoding="utf-8")
        print(f"transcribe: {' '.join(heard.split())}\n  said: {text}")


def check_server(image: str, podman: Sequence[str], limits: Sequence[str]) -> None:
    """Run the server in an image until it is ready, and send a recording to it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        talk, text = _sample(Path(folder))
        flags = ("serve", "--host", "0.0.0.0", "--model", "nano", "--log", "json")  # noqa: S104
        isolated = (*ISOLATED, "--tmpfs", "/tmp", "-v", f"{folder}:/cache")  # noqa: S108
        started = (*podman, "run", "--detach", *limits, *isolated, image, *flags)
        server = run(*started).strip()
        try:
            inside = (*podman, "exec", server, "python", "-c")
            _wait_until_ready(inside, server)
            answer = run(*inside, ASK.format(file=f"/cache/{talk.name}"))
            print(f"server: {json.loads(answer)['text']}\n  said: {text}")
        finally:
            run(*podman, "rm", "--force", "--time", "10", server)


ASK = """\
import urllib.request as r
form = b"--x\\r\\nContent-Disposition: form-data; name=model\\r\\n\\r\\nwhisper-1\\r\\n--x\\r\\n"
form += b"Content-Disposition: form-data; name=file; filename=talk\\r\\n\\r\\n"
form += open("{file}", "rb").read() + b"\\r\\n--x--\\r\\n"
head = {{"Content-Type": "multipart/form-data; boundary=x"}}
asked = r.Request("http://127.0.0.1:8000/v1/audio/transcriptions", form, head)
print(r.urlopen(asked).read().decode())
"""


def _wait_until_ready(inside: Sequence[str], server: str) -> None:
    asked = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready')"
    until_s = time.monotonic() + READY_S
    while subprocess.run([*inside, asked], capture_output=True, check=False).returncode:  # noqa: S603
        if time.monotonic() > until_s:
            sys.exit(f"the server is not ready after {READY_S} s\n{run('podman', 'logs', server)}")
        time.sleep(1)


def _sample(folder: Path) -> tuple[Path, str]:
    """A recording of the demo as a file, and what is said in it."""
    rows = pyarrow.parquet.read_table(min((ROOT / "src/quest22/demo/samples").glob("*.parquet")))
    row = rows.slice(0, 1).to_pylist()[0]
    path = folder / f"talk{Path(row['audio']['path']).suffix}"
    path.write_bytes(row["audio"]["bytes"])
    return path, row["text"]


def run(*command: str | Path) -> str:
    """What a command prints; exits with all of it if the command fails."""
    arguments = [str(part) for part in command]
    ended = subprocess.run(  # noqa: S603
        arguments, capture_output=True, encoding="utf-8", check=False
    )
    if ended.returncode != 0:
        sys.exit(f"{' '.join(arguments)}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def main() -> None:
    """Build the images, measure and run them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=IMAGES, help="by default cli, server")
    parser.add_argument("--bootstrap", action="store_true", help="make the base image here")
    parser.add_argument("--release", default=RELEASE, help="of Debian, with --bootstrap")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels that pip prefers")
    parser.add_argument("--cert", type=Path, help="a certificate authority that pip is to trust")
    parser.add_argument("--only-run", action="store_true", help="run what was built before")
    parser.add_argument("--runtime", help="such as runc, in place of podman's choice")
    parser.add_argument("--ulimit", action="append", default=[], help="such as nofile=1024:1024")
    asked = parser.parse_args()
    stages = asked.only or FOR_CPUS
    if asked.bootstrap and not asked.only_run:
        bootstrap(asked.release)
    if not asked.only_run:
        base = BASE.format(asked.release) if asked.bootstrap else None
        build(stages, base, asked.cert, asked.wheels)
    podman = ("podman", *(["--runtime", asked.runtime] if asked.runtime else ()))
    limits = [part for each in asked.ulimit for part in ("--ulimit", each)]
    for name in map(IMAGES.__getitem__, stages):
        found = list(layers(name))
        print(f"\n{name}: {sum(size for size, _ in found) / 1e6:.0f} MB")
        for size, made_by in found:
            print(f"{size / 1e6:8.1f} MB  {made_by[:80]}")
    for stage in stages:
        print(f"\n{stage}")
        if stage != "server":
            engine = ("--engine", "torch", "--device", "cpu") if stage == "cuda" else ()
            check_command(IMAGES[stage], podman, limits, engine=engine)
        if stage != "cli":
            check_server(IMAGES[stage], podman, limits)


if __name__ == "__main__":
    main()
