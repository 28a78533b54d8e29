"""``quest22 completion``: what makes a shell complete commands and flags."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from quest22.env import request_completion_script

EPILOG = """\
[bold]Examples[/]

quest22 completion bash >> ~/.bashrc

quest22 completion zsh > ~/.zfunc/_quest22

quest22 completion fish > ~/.config/fish/completions/quest22.fish
"""


class Shell(str, Enum):
    """The shells that can be taught."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(
    context: typer.Context,
    shell: Annotated[
        Shell,
        typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.", show_default=False),
    ],
) -> None:
    """Print the script that completes commands and flags in a shell."""
    request_completion_script(shell.value)
    command: Any = context.find_root().command
    command.main([], prog_name="quest22")
