"""Client secrets: short-lived keys for browsers, which must not see the API key itself.

Only their hashes are kept, and only in memory: after a restart, or on another server, they are
unknown. Removing an API key also invalidates the secrets created with it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quest22.server.access.gate import Caller, Gate
from quest22.server.refusal import Refusal

PREFIX = "ek_"

MIN_LIFETIME_S = 10
MAX_LIFETIME_S = 7200
DEFAULT_LIFETIME_S = 600

MAX_SECRETS = 16_384
MAX_SECRETS_PER_CALLER = 1024
MAX_SESSIONS_BYTES = 32 << 20
"""Total size of the session settings of all secrets."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret counts against the limits of ``caller``; ``session`` holds settings as JSON."""

    caller: Caller
    session: bytes
    expires_at: int


class ClientSecrets:
    """The secrets of one server; for use in one event loop. ``clock`` returns Unix time."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: dict[bytes, Secret] = {}

    def issue(
        self, caller: Caller, session: Mapping[str, Any], lifetime_s: int = DEFAULT_LIFETIME_S
    ) -> tuple[str, int]:
        """A new secret and its expiry time; raises :class:`Refusal` if there are too many."""
        if not MIN_LIFETIME_S <= lifetime_s <= MAX_LIFETIME_S:
            raise Refusal(
                "bad_request",
                f"expires_after.seconds is {lifetime_s}: "
                f"expected {MIN_LIFETIME_S} to {MAX_LIFETIME_S}",
                parameter="expires_after.seconds",
            )
        self._forget_expired()
        of_caller = sum(each.caller.name == caller.name for each in self._known.values())
        settings = json.dumps(session).encode()
        held = len(settings) + sum(len(each.session) for each in self._known.values())
        if (
            of_caller >= MAX_SECRETS_PER_CALLER
            or len(self._known) >= MAX_SECRETS
            or held > MAX_SESSIONS_BYTES
        ):
            raise Refusal(
                "rate_limited",
                "too many valid client secrets: use one for several sessions, or wait",
                retry_after_s=min(each.expires_at for each in self._known.values()) - self._clock(),
            )
        value = PREFIX + secrets.token_urlsafe(32)
        expires_at = int(self._clock()) + lifetime_s
        self._known[_digest(value)] = Secret(caller, settings, expires_at)
        return value, expires_at

    def identify(
        self, gate: Gate, key: str | None, peer: str
    ) -> tuple[Caller, Mapping[str, Any] | None]:
        """The caller, and the session's settings if the key is a client secret.

        Raises :class:`Refusal` for an unknown key or secret, and for a secret whose key has been
        removed.
        """
        if key is None or not key.startswith(PREFIX):
            return gate.identify(key, peer), None
        secret = self._known.get(_digest(key))
        if secret is None or secret.expires_at <= self._clock():
            raise Refusal(
                "unauthorized",
                "the client secret is unknown or has expired: get another one from "
                "/v1/realtime/client_secrets",
            )
        return gate.identify_again(secret.caller), json.loads(secret.session)

    def _forget_expired(self) -> None:
        now_s = self._clock()
        self._known = {
            digest: each for digest, each in self._known.items() if each.expires_at > now_s
        }


def _digest(value: str) -> bytes:
    # Secrets are long and random, so a fast hash is safe.
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
