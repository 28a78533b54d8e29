"""Tells public internet addresses from others; the server fetches only from public ones.

Others may belong to machines behind the same firewall: the server itself, a router, a database, the
cloud's metadata. An IPv4 address within an IPv6 one counts as itself.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT
            "169.254.0.0/16",
            "192.0.0.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "198.18.0.0/15",
            "240.0.0.0/4",
            "64:ff9b:1::/48",  # local NAT64
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
            "5f00::/16",
            "fc00::/7",
            "fe80::/9",
        ),
    )
)
_TRANSLATED = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_INTERFACE_IPV4 = (0x0000_5EFE, 0x0200_5EFE)
"""The upper half of an ISATAP interface identifier, which embeds an IPv4 address."""


def is_public(text: str) -> bool:
    """Whether an address, as returned by the resolver, is public."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public(address)
    if address.scope_id is not None:
        return False
    within = _ipv4_within(address)
    if within is not None:
        return _is_public(within)
    return address in _GLOBAL_UNICAST and _is_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NOT_PUBLIC)
    )


def _ipv4_within(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this address are sent to, if any."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    last = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _TRANSLATED or address in _COMPATIBLE:
        return last
    if (int(address) >> 32) & 0xFFFF_FFFF in _INTERFACE_IPV4:
        return last
    return None
