"""Which offers can be calls."""

from __future__ import annotations

import pytest

from quest22.server.openai.realtime.webrtc.offer import MAX_OFFER_BYTES, checked_offer
from quest22.server.refusal import Refusal

HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
SECRETS = "a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 00\r\na=setup:actpass\r\n"
AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n"
CHANNEL = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n" + SECRETS
ADDRESSES = "a=candidate:1 1 udp 1 192.0.2.7 5000 typ host\r\na=end-of-candidates\r\n"


@pytest.mark.parametrize(
    "offer",
    [
        HEAD + "a=group:BUNDLE 0 1\r\n" + AUDIO + CHANNEL,
        HEAD + AUDIO + "a=sendrecv\r\n" + CHANNEL,
        HEAD + AUDIO + "a=sendonly\r\n" + CHANNEL,
        HEAD + "a=sendonly\r\n" + AUDIO + CHANNEL,
        HEAD + CHANNEL + AUDIO,
        HEAD + AUDIO + "a=recvonly\r\n" + AUDIO.replace("mid:0", "mid:2") + CHANNEL,
        (HEAD + AUDIO + CHANNEL).replace("\r\n", "\n"),
    ],
)
def test_these_can(offer: str) -> None:
    assert checked_offer(offer.encode()).startswith(HEAD[:20])


@pytest.mark.parametrize(
    ("offer", "told"),
    [
        (b"", "begins with v=0"),
        (b"hello", "begins with v=0"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (HEAD.encode(), "no audio"),
        ((HEAD + CHANNEL).encode(), "no audio"),
        ((HEAD + AUDIO.replace("audio 9", "audio 0") + CHANNEL).encode(), "no audio"),
        ((HEAD + AUDIO + "a=recvonly\r\n" + CHANNEL).encode(), "no audio"),
        ((HEAD + AUDIO + "a=inactive\r\n" + CHANNEL).encode(), "no audio"),
        ((HEAD + AUDIO.replace("audio", "video") + CHANNEL).encode(), "no audio"),
        ((HEAD + AUDIO).encode(), "no data channel"),
        ((HEAD + AUDIO + CHANNEL).replace("a=finger", "a=").encode(), "no a=fingerprint"),
        ((HEAD + "a=group:BUNDLE 0 1 2\r\n" + AUDIO + CHANNEL).encode(), "BUNDLE"),
        ((HEAD + AUDIO + AUDIO + CHANNEL).encode(), "own a=mid"),
        ((HEAD + AUDIO * 8 + CHANNEL).encode(), "9 media sections"),
        ((HEAD + AUDIO + CHANNEL + "a=ssrc:1 cname:x\r\n" * 1000).encode(), "lines"),
        (HEAD.encode() + b"a" * MAX_OFFER_BYTES, "bytes"),
    ],
)
def test_these_cannot(offer: bytes, told: str) -> None:
    with pytest.raises(Refusal, match=told) as caught:
        checked_offer(offer)
    assert caught.value.status == 400


def test_the_addresses_of_the_peer_are_left_out() -> None:
    offer = (HEAD + AUDIO + ADDRESSES + CHANNEL).encode()
    assert "192.0.2.7" not in checked_offer(offer)
    assert "end-of-candidates" not in checked_offer(offer)
    assert checked_offer(offer, keep_addresses=True).count("192.0.2.7") == 1


def test_names_are_never_looked_up() -> None:
    named = ADDRESSES.replace("192.0.2.7", "0a1b2c3d.local")
    offer = (HEAD + AUDIO + named + ADDRESSES * 50 + CHANNEL).encode()
    checked = checked_offer(offer, keep_addresses=True)
    assert ".local" not in checked
