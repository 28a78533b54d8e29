"""``quest22 serve``: a server for the clients people already have."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Option

from quest22.cli.exits import Exit, code_of, say
from quest22.cli.flag_groups import FlagGroup, flag_group, grouped
from quest22.cli.live.flags import LiveReportFlags
from quest22.cli.terminal import configure_logging
from quest22.env import hub_token
from quest22.errors import MissingExtraError, Quest22Error, UsageError
from quest22.settings import EngineSettings, PipelineSettings
from quest22.settings.server import ServerSettings

LEAST_PYTHON = (3, 11)

EPILOG = """\
[bold]Examples[/]

quest22 serve -m base                            [dim]# http://127.0.0.1:8000, this machine only[/]

quest22 serve -m small -m large-v3-turbo         [dim]# two; the first is the default[/]

quest22 serve --host 0.0.0.0 --keys keys.json    [dim]# for others, with keys: quest22 keys add[/]

OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=none your-program

curl http://127.0.0.1:8000/v1/audio/transcriptions -F file=@talk.mp3 -F model=whisper-1
"""


@flag_group(ServerSettings, EngineSettings, without={"draft_model"})
class ServerFlags(FlagGroup):
    """Where to listen, and what to serve."""

    model: Annotated[
        list[str] | None,
        Option(
            "--model",
            "-m",
            help="A model to serve, by the name that clients ask for; may be repeated. "
            "[cyan]NAME=FOLDER[/] gives a folder or a repository a name.",
            metavar="NAME",
            rich_help_panel="Model",
            show_default="the best one in the caches",
        ),
    ] = None

    def server(self) -> ServerSettings:
        """Raises :class:`UsageError` for invalid values."""
        return self.make(ServerSettings)

    def served(self) -> dict[str, str]:
        """What is loaded, by the name that clients ask for; raises :class:`UsageError`."""
        from quest22.checkpoint.caches import best_model

        found: dict[str, str] = {}
        for each in self.model or [best_model()]:
            given, _, place = each.partition("=")
            name = given if place else Path(given).name
            if name in found:
                raise UsageError(
                    f"two models are called {name}: give one another name, NAME=FOLDER"
                )
            found[name] = place or given
        return found


@grouped
def serve(server: ServerFlags, report: LiveReportFlags) -> int:
    """Serve transcription to the clients people already have.

    OpenAI's REST and Realtime, Deepgram's, Wyoming, and a page to speak into.
    """
    configure_logging(report)
    check_python(sys.version_info[:3])
    try:
        from quest22.server.access.origin_check import is_loopback
        from quest22.server.operations.log_output import log_requests, say_as_json
        from quest22.server.serve import build_service
        from quest22.server.serve import serve as run
    except ModuleNotFoundError as exc:
        raise MissingExtraError("quest22 serve", "server") from exc
    settings = server.server()
    log_requests("off" if report.quiet else settings.log)
    tell = say_as_json if settings.log == "json" else say
    if settings.keys is None and settings.uds is None and not is_loopback(settings.host):
        tell(
            f"warning: everyone who reaches {settings.host} may use this server: --keys FILE lets "
            "in only who has a key"
        )
    try:
        engine = server.make(EngineSettings, model=None, token=server.token or hub_token())
        pipeline = replace(PipelineSettings(), engine=engine)
        failure = run(build_service(settings, server.served(), pipeline), tell)
    except Quest22Error as error:
        if settings.log != "json":
            raise
        say_as_json(f"error: {error}", logging.ERROR)
        return code_of(error)
    return Exit.DONE if failure is None else code_of(failure)


def check_python(version: tuple[int, ...]) -> None:
    """Raise :class:`UsageError` for a Python that the server's packages do not support."""
    if version < LEAST_PYTHON:
        needed, found = (".".join(map(str, each)) for each in (LEAST_PYTHON, version))
        raise UsageError(
            f"quest22 serve needs Python {needed} or newer, and this is {found}; everything else "
            "works here"
        )
