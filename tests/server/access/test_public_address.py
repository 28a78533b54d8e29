"""Which addresses are fetched for others: no packet is sent here."""

from __future__ import annotations

import pytest

from quest22.server.access.public_address import is_public

PUBLIC = """
    1.1.1.1 8.8.8.8 93.184.216.34 172.15.255.255 172.32.0.1 192.167.255.255 100.63.255.255
    2606:4700:4700::1111 2a00:1450:4001:81b::200e
    ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1
""".split()  # noqa: SIM905

NOT_PUBLIC = """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254
    172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1
    198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::2 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fe80::1%1 fec0::1 ff02::1 ff0e::1
    2001:db8::1 2001::1 2001:10::1 2001:20::1 100::1 3fff::1 5f00::1 4000::1 1000::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0.0.0.0 ::127.0.0.1 ::10.0.0.1
    64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::1 64:ff9b:1::8.8.8.8
    2002:7f00:1::1 2002:a00:1::1 2002:a9fe:a9fe::1 2002:c0a8:1::1
    2606:4700::5efe:10.0.0.1 2606:4700::200:5efe:192.168.0.1
    localhost example.org 127.1 0x7f000001 2130706433 0177.0.0.1 1.1.1 1.1.1.1/32
""".split()  # noqa: SIM905


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["", *NOT_PUBLIC])
def test_addresses_behind_a_wall(address: str) -> None:
    assert not is_public(address)
