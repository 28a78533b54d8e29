"""The metadata of responses: the request, and the model that serves it."""

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
"""Deepgram sends this too: the field has no meaning any more."""


@dataclass(frozen=True, slots=True)
class RequestId:
    """The random id of a request, and when it arrived."""

    value: str = field(default_factory=lambda: str(uuid4()))
    created: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    )


def new_request_id() -> RequestId:
    """A new id for the request that this task serves, also used in the server's log."""
    name = RequestId()
    current_request().request_id = name.value
    return name


def model_info(model: ServedModel) -> dict[str, str]:
    """Name, version and kind of a model."""
    return {"name": model.name, "version": __version__, "arch": "whisper"}


def model_uuid(model: ServedModel) -> str:
    """An id derived from the model's name."""
    return str(uuid5(NAMESPACE_URL, f"quest22:{model.name}"))


def result_metadata(
    request: RequestId, model: ServedModel, parameters: Parameters
) -> dict[str, Any]:
    """The metadata of each live result."""
    found: dict[str, Any] = {
        "request_id": request.value,
        "model_info": model_info(model),
        "model_uuid": model_uuid(model),
    }
    if parameters.extra:
        found["extra"] = parameters.extra
    return found


def request_metadata(
    request: RequestId,
    model: ServedModel,
    parameters: Parameters,
    sha256: str,
    duration_s: float,
    channels: int,
) -> dict[str, Any]:
    """The metadata of a whole request."""
    uuid = model_uuid(model)
    found: dict[str, Any] = {
        "transaction_key": TRANSACTION_KEY,
        "request_id": request.value,
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
