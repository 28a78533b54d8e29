"""Checks a peer's SDP offer and removes what is not used."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quest22.server.refusal import Refusal

MAX_OFFER_BYTES = 64 * 1024
MAX_LINES = 1000
MAX_SECTIONS = 8
MAX_ADDRESSES = 32

_SENDING = {"sendrecv", "sendonly"}
_DIRECTIONS = {*_SENDING, "recvonly", "inactive"}
_ADDRESS = re.compile("a=candidate:")
_ADDRESSES = re.compile("a=(candidate:|end-of-candidates)")


def checked_offer(body: bytes, *, keep_addresses: bool = False) -> str:
    """The offer to use; raises :class:`Refusal` for one that cannot start a call.

    The peer's addresses are removed unless ``keep_addresses``. The peer sends the first packet,
    which reveals its address, and nobody can make this server send packets to anyone else. A relay
    needs the addresses to let the peer in. mDNS names are never resolved.
    """
    lines = _lines(body)
    sections = _sections(lines)
    if not any(_sends_audio(each, sections[0]) for each in sections[1:]):
        raise _bad(
            "no audio: an offer needs a section m=audio whose direction is sendrecv or sendonly"
        )
    if not any(each[0].startswith("m=application") for each in sections[1:]):
        raise _bad("no data channel: create one with the label oai-events before the offer")
    mids = [line[6:] for line in lines if line.startswith("a=mid:")]
    bundles = [line.split()[1:] for line in sections[0] if line.startswith("a=group:BUNDLE")]
    if len(set(mids)) < len(sections) - 1 or not all(set(each) <= set(mids) for each in bundles):
        raise _bad("each media section needs its own a=mid, and a=group:BUNDLE may name only those")
    for needed in ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:"):
        if not any(line.startswith(needed) for line in lines):
            raise _bad(f"no {needed} line")
    most = MAX_ADDRESSES if keep_addresses else 0
    used = [line for line in lines if _ADDRESS.match(line) and ".local " not in line][:most]
    removed = {line for line in lines if _ADDRESSES.match(line)} - set(used)
    lines = [line for line in lines if line not in removed]
    return "\r\n".join(lines) + "\r\n"


def _lines(body: bytes) -> list[str]:
    if len(body) > MAX_OFFER_BYTES:
        raise _bad(f"{len(body)} bytes: expected at most {MAX_OFFER_BYTES}")
    try:
        lines = [line for line in body.decode("utf-8").splitlines() if line]
    except UnicodeDecodeError as exc:
        raise _bad("not UTF-8 text") from exc
    if not lines or lines[0] != "v=0":
        raise _bad("expected a text that begins with v=0")
    if len(lines) > MAX_LINES:
        raise _bad(f"{len(lines)} lines: expected at most {MAX_LINES}")
    return lines


def _sections(lines: Sequence[str]) -> list[list[str]]:
    """The session's lines, before the first ``m=``; then the lines of each media section."""
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    if len(sections) - 1 > MAX_SECTIONS:
        raise _bad(f"{len(sections) - 1} media sections: expected at most {MAX_SECTIONS}")
    return sections


def _sends_audio(section: Sequence[str], session: Sequence[str]) -> bool:
    kind, port = (*section[0][2:].split(" "), "")[:2]
    directions = [line[2:] for line in (*section, *session) if line[2:] in _DIRECTIONS]
    return kind == "audio" and port != "0" and (not directions or directions[0] in _SENDING)


def _bad(what: str) -> Refusal:
    return Refusal("bad_request", f"this SDP offer cannot be answered: {what}", parameter="sdp")
