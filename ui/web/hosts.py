"""Which hosts the server answers to, and which pages may ask it: the Host and Origin headers.

A page of another origin may send a request here, and a name that someone else owns may be given
this machine's address ("DNS rebinding"). Browsers say of each request where it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from assistant.errors import SettingsError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST = re.compile(
    r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?)\.?(?::(\d{1,5}))?"
)
_PORTS = {"http": "80", "https": "443"}

WRONG_HOST = (
    "This server does not answer to the name in the request's Host header; whoever runs it can "
    "allow the name with --allowed-host."
)
WRONG_ORIGIN = "Pages of other origins may not use this server."


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names of this server."""

    names: frozenset[str]  # without ports; an IPv6 address in brackets
    origins: frozenset[str] = frozenset()  # of pages, where a proxy changes the Host header
    encrypted: bool = False  # browsers reach it by https only


def on_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def hosts_of(host: str, allowed: Sequence[str] = (), *, encrypted: bool = False) -> Hosts:
    """The names of a server that listens at `host`, and those that are `allowed` besides.

    An allowed name may have a port. Raises SettingsError for what is no name of a host.
    """
    names, origins = set(LOOPBACK), set()
    own = f"[{host}]" if ":" in host else host.lower()
    for text in (own, *allowed):
        found = _split(text.lower())
        if found is None:
            raise SettingsError(
                f"{text!r} is no name of a host; write it as in an address, like "
                "reading.hospital.example, with nothing before and no path behind it."
            )
        names.add(found[0])
        if text != own:
            schemes = ("https",) if encrypted else ("http", "https")
            origins |= {f"{scheme}://{_netloc(found, scheme)}" for scheme in schemes}
    return Hosts(frozenset(names), frozenset(origins), encrypted)


def name_of(scope: Any) -> str | None:
    """The host that a request names, without its port; None where it is no name."""
    found = _host_of(scope)
    return found[0] if found else None


def find_refusal(hosts: Hosts, scope: Any) -> str | None:
    """Why a request is refused by what its headers say of host and origin; None where it is not."""
    host = _host_of(scope)
    if host is None or not (host[0] in hosts.names or host[0] == _local_address(scope)):
        return WRONG_HOST
    origins = _values(scope, b"origin")
    if origins and not (len(origins) == 1 and _is_own(hosts, host, origins[0])):
        return WRONG_ORIGIN
    sites = _values(scope, b"sec-fetch-site")
    if all(site in ("same-origin", "none") for site in sites) or _opens_page(scope):
        return None
    return WRONG_ORIGIN


def _is_own(hosts: Hosts, host: tuple[str, str], origin: str) -> bool:
    """Whether an origin is this server's."""
    scheme, separator, rest = origin.lower().partition("://")
    found = _split(rest)
    if scheme not in _PORTS or not separator or found is None:
        return False
    if f"{scheme}://{_netloc(found, scheme)}" in hosts.origins:
        return True
    own_scheme = "https" if hosts.encrypted else "http"
    return scheme == own_scheme and _netloc(found, scheme) == _netloc(host, scheme)


def _opens_page(scope: Any) -> bool:
    """Whether a browser opens the page itself, by a link from elsewhere."""
    return (
        scope["method"] in ("GET", "HEAD")
        and scope["path"] == "/"
        and _values(scope, b"sec-fetch-mode") == ["navigate"]
        and _values(scope, b"sec-fetch-dest") == ["document"]
    )


def _values(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key == name]


def _host_of(scope: Any) -> tuple[str, str] | None:
    values = _values(scope, b"host")
    return _split(values[0].lower()) if len(values) == 1 else None


def _split(text: str) -> tuple[str, str] | None:
    """Host and port (empty where there is none) of `host:port`; None for anything else."""
    found = _HOST.fullmatch(text)
    return (found[1], found[2] or "") if found else None


def _netloc(found: tuple[str, str], scheme: str) -> str:
    name, port = found
    return name if port in ("", _PORTS[scheme]) else f"{name}:{port}"


def _local_address(scope: Any) -> str:
    """The address of this machine that the connection has reached: nobody can rebind that."""
    address = str((scope.get("server") or ("",))[0])
    return f"[{address}]" if ":" in address else address
