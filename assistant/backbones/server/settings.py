"""Settings to reach an OpenAI-compatible server, with the keys of the settings file."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from assistant.errors import SettingsError

TASKS = ("report", "answer")  # the tasks of adapters that a server may do
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The address of an OpenAI-compatible server and the limits of its requests.

    Raises SettingsError for an invalid value.
    """

    url: str  # of the API with its version, e.g. "http://127.0.0.1:8000/v1"
    model: str  # the server's name of the base
    adapters: Mapping[str, str] = field(default_factory=dict)  # task: the server's name for it
    api_key_env: str = ""  # the environment variable with the key; empty: no key
    allow_http: bool = False  # send films to another machine without encryption
    edge: int = 1024  # pixels along the longer edge of a film that is sent, at most
    timeout_s: float = 120.0  # seconds without a byte of the answer
    retries: int = 4  # of one request, after a full, failing or unreachable server
    concurrency: int = 4  # requests at the same time, of all threads
    max_tokens: int | None = (
        None  # a text's length at most, where it exceeds what the caller asks for
    )
    revision: str = ""  # of the weights, as the server's operator knows it
    licence: str = "unknown"  # of the weights

    def __post_init__(self) -> None:
        _check_url(_split_url(self.url), self.allow_http)
        if not _is_text(self.model):
            raise SettingsError("The server's `model` must be the name of one that it serves.")
        if not isinstance(self.adapters, Mapping) or not all(
            task in TASKS and _is_text(name) for task, name in self.adapters.items()
        ):
            raise SettingsError(
                "The server's `adapters` must name a model of the server for each task, "
                f"of {' and '.join(TASKS)}."
            )
        # A wrong value may be the key itself, so the error does not quote it.
        if not isinstance(self.api_key_env, str) or (
            self.api_key_env and not VARIABLE_NAME.fullmatch(self.api_key_env)
        ):
            raise SettingsError(
                "The server's `api_key_env` must be the name of an environment variable that "
                "holds the key, not the key."
            )
        for name in ("revision", "licence"):
            if not isinstance(getattr(self, name), str):
                raise SettingsError(f"The server's `{name}` must be a text.")
        for name, least, most in (("edge", 32, 8192), ("retries", 0, 20), ("concurrency", 1, 256)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise SettingsError(
                    f"The server's `{name}` = {value!r} must be a whole number of "
                    f"{least} to {most}."
                )
        if self.max_tokens is not None and (
            type(self.max_tokens) is not int or not 1 <= self.max_tokens <= 131_072
        ):
            raise SettingsError(
                f"The server's `max_tokens` = {self.max_tokens!r} must be a whole number of "
                "1 to 131072."
            )
        if not _is_timeout(self.timeout_s):
            raise SettingsError(
                f"The server's `timeout_s` = {self.timeout_s!r} must be a number of seconds "
                "above 0 and at most 3600."
            )

    @property
    def host(self) -> str:
        """The server's name and port, for messages."""
        return _split_url(self.url).netloc

    @property
    def loopback(self) -> bool:
        """Whether the server runs on this machine."""
        return _is_loopback(_split_url(self.url).hostname or "")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_timeout(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 < value <= 3600  # false for NaN


def _split_url(url: object) -> SplitResult:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        is_valid = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_valid, parts = False, urlsplit("")
    # The error does not quote the URL: it may hold a password.
    if not is_valid or parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.query:
        raise SettingsError(
            'The server\'s `url` must be like "http://127.0.0.1:8000/v1", without a user, '
            "a password or a query; name the key's variable as `api_key_env`."
        )
    return parts


def _check_url(parts: SplitResult, allow_http: object) -> None:
    if not isinstance(allow_http, bool):
        raise SettingsError("The server's `allow_http` must be true or false.")
    if parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname or ""):
        raise SettingsError(
            f"Films would reach the server {parts.netloc} unencrypted; use https, or set "
            "`allow_http = true` if the network between is your own."
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
