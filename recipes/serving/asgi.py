"""The server in another ASGI host: ``uvicorn asgi:app --ws-max-size 25165824``, in this folder.

``quest22 serve`` does more by itself: it gives up clients that are slow or have vanished, and
reads keys and certificates again at SIGHUP. One process holds one engine: no ``--workers``.
"""

from __future__ import annotations

from pathlib import Path

from quest22.server.app import build_app
from quest22.server.serve import build_service
from quest22.settings import PipelineSettings
from quest22.settings.server import ServerSettings

MODEL = "base"
KEYS = Path("keys.json")
"""From ``quest22 keys add NAME``; without the file everyone who reaches the port may use it."""

settings = ServerSettings(keys=KEYS if KEYS.exists() else None)
service = build_service(settings, {MODEL: MODEL}, PipelineSettings())

app = build_app(service, holds_signals=True)
"""For hypercorn, whose handlers cannot be held back, wait for ``service.drained()`` in the
``shutdown_trigger`` of its ``serve``."""
