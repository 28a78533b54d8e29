"""``quest22 serve`` as a deployment of Ray Serve: ``serve run ray_serve:app``, in this folder.

A replica is one process with one engine. Ray's proxy stands before it, so the host's name is Ray's
to check; keys and limits are the server's, and each replica counts for itself.

Ray finishes the recordings of a replica that it stops, but tells the application nothing until all
requests have ended. So a live session that goes on is cut off after
``graceful_shutdown_timeout_s``, without its last text: let clients of live sound reconnect, or call
``service.drained()`` in the replica by what your cluster knows.
"""

from __future__ import annotations

from pathlib import Path

from ray import serve
from starlette.types import ASGIApp

MODEL = "base"
KEYS = Path("keys.json")
"""From ``quest22 keys add NAME``; without the file everyone who reaches Ray's port may use it."""


def build() -> ASGIApp:
    """Called in each replica."""
    from quest22.server.app import build_app
    from quest22.server.serve import build_service
    from quest22.settings import PipelineSettings
    from quest22.settings.server import ServerSettings

    settings = ServerSettings(host="0.0.0.0", keys=KEYS if KEYS.exists() else None)  # noqa: S104
    return build_app(build_service(settings, {MODEL: MODEL}, PipelineSettings()))


@serve.deployment(
    num_replicas=1,
    max_ongoing_requests=80,  # --max-requests and --max-live, which refuse politely
    graceful_shutdown_timeout_s=45,
    ray_actor_options={"num_cpus": 2},
)
@serve.ingress(build)
class Quest22:
    """One replica."""


app = Quest22.bind()  # type: ignore[attr-defined]
