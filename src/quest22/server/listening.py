"""Binds the server to an address or a Unix socket, with or without TLS."""

from __future__ import annotations

import errno
import socket
import ssl
from pathlib import Path

from quest22.errors import SourceError, UsageError
from quest22.server.access.slow_clients import watch_peers
from quest22.settings.server import ServerSettings

BACKLOG = 2048


def tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """The TLS context, if a certificate is set; raises :class:`UsageError` if it is invalid."""
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, settings)
    return context


def load_certificate(context: ssl.SSLContext, settings: ServerSettings) -> None:
    """Read the certificate and the key from their files; raises :class:`UsageError`."""
    try:
        context.load_cert_chain(str(settings.tls_cert), settings.tls_key, password="")
    except (OSError, ssl.SSLError) as exc:  # an SSLError is an OSError without strerror
        reason = exc.reason if isinstance(exc, ssl.SSLError) else exc.strerror
        raise UsageError(
            f"the certificate {settings.tls_cert} cannot be used: {reason or exc}; expected PEM "
            "files for --tls-cert and --tls-key, the key without a password"
        ) from exc


def bind(settings: ServerSettings) -> socket.socket:
    """Open the listening socket; raises :class:`SourceError` if the address is in use.

    Raises :class:`UsageError` for a Unix socket where Python has none, as on Windows.
    """
    if settings.uds is None:
        return bind_address(settings.host, settings.port, "--port")
    if not hasattr(socket, "AF_UNIX"):
        raise UsageError("--uds needs Unix sockets, and there are none here: use --host and --port")
    try:
        return _bind_unix(settings.uds)
    except OSError as exc:
        raise _taken(str(settings.uds), exc, "--uds") from exc


def bind_address(host: str, port: int, flag: str) -> socket.socket:
    """Listen on an address; ``flag`` is the option that sets the port, for the error message."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as exc:
        raise _taken(f"{host}:{port}", exc, flag) from exc
    watch_peers(bound)
    return bound


def _taken(where: str, error: OSError, flag: str) -> SourceError:
    return SourceError(
        f"cannot listen at {where}: {error.strerror or error}; choose another {flag}, or an "
        "address of this machine"
    )


def _bind_unix(path: Path) -> socket.socket:
    """Replace the socket file of a server that has ended; raises OSError if one is running."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            if other.connect_ex(str(path)) == 0:
                raise OSError(errno.EADDRINUSE, "another server listens there")
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o660)
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def address(bound: socket.socket, settings: ServerSettings) -> str:
    """The URL at which users reach the server."""
    if settings.uds is not None:
        return str(settings.uds)
    host, port = bound.getsockname()[:2]
    scheme = "http" if settings.tls_cert is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
