"""How a request and the model that serves it are named in answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from quest22.server.deepgram.parameters import Parameters
from quest22.server.models import ServedModel
from quest22.server.operations.request_context import current_request
from quest22.version import __version__

TRANSACTION_KEY = "deprecated"
"""What Deepgram itself sends: the field has no meaning any more."""


@dataclass(frozen=True, slots=True)
class RequestName:
    """Of one request: a random identifier, and when it came."""

    identifier: str = field(default_factory=lambda: str(uuid4()))
    created: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    )


def begin_request() -> RequestName:
    """The name of the request that this task serves, by which the server's log calls it too."""
    name = RequestName()
    current_request().request_id = name.identifier
    return name


def model_info(model: ServedModel) -> dict[str, str]:
    """Name, version and kind of a model."""
    return {"name": model.name, "version": __version__, "arch": "whisper"}


def model_uuid(model: ServedModel) -> str:
    """The same for each model of a name."""
    return str(uuid5(NAMESPACE_URL, f"quest22:{model.name}"))


def result_metadata(
    request: RequestName, model: ServedModel, parameters: Parameters
) -> dict[str, Any]:
    """What goes with each result of a live session."""
    found: dict[str, Any] = {
        "request_id": request.identifier,
        "model_info": model_info(model),
        "model_uuid": model_uuid(model),
    }
    if parameters.extra:
        found["extra"] = parameters.extra
    return found


def request_metadata(
    request: RequestName,
    model: ServedModel,
    parameters: Parameters,
    sha256: str,
    duration_s: float,
    channels: int,
) -> dict[str, Any]:
    """What is told of a whole request."""
    uuid = model_uuid(model)
    found: dict[str, Any] = {
        "transaction_key": TRANSACTION_KEY,
        "request_id": request.identifier,
        "sha256": sha256,
        "created": request.created,
        "duration": round(duration_s, 3),
        "channels": channels,
        "models": [uuid],
        "model_info": {uuid: model_info(model)},
    }
    if parameters.tags:
        found["tags"] = list(parameters.tags)
    if parameters.extra:
        found["extra"] = parameters.extra
    return found
