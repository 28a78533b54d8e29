"""``quest22 models pull``: downloads models, as a run would that names them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quest22.cli.exits import Exit, say
from quest22.cli.figures import size
from quest22.cli.models.names import complete_known
from quest22.env import hub_token, silence_progress_bars
from quest22.errors import CheckpointError

EPILOG = """\
[bold]Examples[/]

quest22 models pull large-v3-turbo                    [dim]# a short name[/]

quest22 models pull tiny base distil-whisper/distil-large-v3.5

quest22 models pull org/whisper-finetuned --revision v2
"""


def pull(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Short names and Hub ids, as [cyan]--model[/] takes them.",
            show_default=False,
            autocompletion=complete_known,
        ),
    ],
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of the models.", metavar="REV")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            help="Access token for gated and private repositories. Prefer [cyan]HF_TOKEN[/] or "
            "[cyan]hf auth login[/]: other users can see a command line.",
            metavar="TOKEN",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> int:
    """Download models into the Hub's cache, where every run finds them.

    Only the files that a run needs are downloaded, and the model is checked. What was broken off
    goes on where it ended. A short name that a cache has is not asked for again.
    """
    if quiet or not sys.stderr.isatty():
        silence_progress_bars()
    token = token or hub_token()
    pulled = [_is_pulled(name, revision, token, quiet=quiet) for name in names]
    if all(pulled):
        return Exit.DONE
    return Exit.SOME_FAILED if any(pulled) else Exit.NOTHING_DONE


def _is_pulled(name: str, revision: str | None, token: str | None, *, quiet: bool) -> bool:
    """Download a model, and say so; a failure is a line, and the others are pulled all the same."""
    try:
        told = _pull(name, revision, token)
    except CheckpointError as exc:
        say(f"error: {exc}")
        return False
    if not quiet:
        typer.echo(told)
    return True


def _pull(name: str, revision: str | None, token: str | None) -> str:
    from quest22.checkpoint.files import files_of
    from quest22.checkpoint.load import load
    from quest22.checkpoint.resolve import locate

    before = None if revision else locate(name)
    checkpoint = load(name, revision=revision, token=token)
    found = size(sum(files_of(checkpoint.folder).values()))
    origin = f", {checkpoint.origin}" if checkpoint.origin not in ("", name) else ""
    here = before is not None and before.folder == checkpoint.folder
    was = "is here already" if here else "downloaded"
    return f"{name} {was}: {found} in {checkpoint.folder}{origin}"
