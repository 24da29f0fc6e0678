"""Connections to servers on the internet, and to no machine of the own network."""

from __future__ import annotations

import ipaddress
import socket
import time

# What IANA's registries of special-purpose addresses list, and multicast. Own lists, because
# `ipaddress.is_global` differs between versions of Python.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
# All other addresses of version 6 are local, translated, mapped, multicast or not assigned.
_UNICAST = ipaddress.ip_network("2000::/3")


def is_public(address: str) -> bool:
    """Return whether a numeric address belongs to a server on the internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6 and ip not in _UNICAST:
        return False
    return not any(ip in network for network in _NOT_PUBLIC if network.version == ip.version)


def connect(host: str, port: int, deadline: float) -> socket.socket:
    """Return a connection to a public address of a server, or raise an OSError.

    The address that is connected to is the one that was checked, so that a name server cannot
    return another one in between.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    public = [entry for entry in found if is_public(str(entry[4][0]))]
    if not public:
        listed = sorted({str(entry[4][0]) for entry in found})
        msg = f"the address of {host!r}, {listed[0]}, is not public"
        raise PermissionError(msg)
    last_error: OSError | None = None
    for family, kind, protocol, _, address in public:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(seconds_left(deadline))
            connection.connect(address)
        except OSError as error:
            connection.close()
            last_error = error
            continue
        return connection
    raise last_error or OSError("no connection")


def seconds_left(deadline: float) -> float:
    """Return the time until a deadline, or raise a TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
