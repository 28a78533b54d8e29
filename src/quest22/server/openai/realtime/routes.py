"""All routes of the Realtime API."""

from __future__ import annotations

from functools import partial

from starlette.routing import BaseRoute

from quest22.server.openai.realtime import call_routes, secret_routes, websocket
from quest22.server.openai.realtime.client_secrets import ClientSecrets
from quest22.server.service import Service


def routes(service: Service) -> list[BaseRoute]:
    """The routes of all transports, which share the client secrets."""
    secrets = ClientSecrets()
    return [
        *websocket.routes(service, partial(secrets.identify, service.gate)),
        *secret_routes.routes(service, secrets),
        *call_routes.routes(service, secrets),
    ]
