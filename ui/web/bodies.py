"""Bodies of requests: read whole within a time and a size, and checked before gradio sees them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from assistant.errors import SettingsError
from ui.web.limits import Limits

Receive = Callable[[], Awaitable[Any]]
SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Fields of the JSON requests that the page and gradio's clients make, by the end of their path.
_JOIN = {"data": list, "session_hash": str, "fn_index": int}
_FIELDS: dict[str, dict[str, type]] = {
    "join": _JOIN,
    "call": {"data": list},
    "named call": {},
    "cancel": {"session_hash": str, "fn_index": int, "event_id": str},
    "reset": {"event_id": str},
}
_OTHERS: dict[str, tuple[type, ...]] = {  # that may be there
    "trigger_id": (int, type(None)),
    "event_data": (dict, list, str, int, float, type(None)),
    "session_hash": (str, type(None)),
    "event_id": (str, type(None)),
    "fn_index": (int, type(None)),
}
_WORDS = {list: "a list", str: "a text", int: "a whole number"}


class SlowBodyError(Exception):
    """A body that came too slowly."""


def receive_in_time(receive: Receive, limits: Limits) -> Receive:
    """Receive a body that may take so long, and longer the more of it has come."""
    started, taken = time.monotonic(), 0
    whole = False

    async def timed() -> Any:
        nonlocal taken, whole
        if whole:  # what is waited for now is the visitor's leaving, which takes as long as it does
            return await receive()
        allowed = limits.body_seconds + taken / limits.body_bytes_per_second
        left = started + allowed - time.monotonic()
        try:
            with anyio.fail_after(max(left, 0.0)):
                message = await receive()
        except TimeoutError:
            raise SlowBodyError from None
        taken += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        return message

    return timed


async def read_body(receive: Receive, most: int) -> bytes | None:
    """A whole body; None where it is over `most` bytes, or its sender has left."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """Receive a body that has been read already."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return messages.pop() if messages else await receive()

    return again


def parse_request(kind: str, body: bytes, limits: Limits) -> dict[str, Any]:
    """A JSON request of the page or of a program: "join", "call", "cancel", "reset".

    A "named call" has the arguments by their names.

    Raises SettingsError, one sentence, for what is none.
    """
    try:
        value = json.loads(body)
    except RecursionError:
        raise SettingsError(_too_deep(limits)) from None
    except (ValueError, UnicodeDecodeError):  # digits without end, too
        raise SettingsError("The request's body is no JSON.") from None
    if not isinstance(value, dict):
        raise SettingsError("The request's body must be a JSON object.")
    if _is_deeper(value, limits.json_depth):
        raise SettingsError(_too_deep(limits))
    required = _FIELDS[kind]
    for name, wanted in required.items():
        if name not in value:
            raise SettingsError(f"The request has no {name}.")
        if not isinstance(value[name], wanted) or isinstance(value[name], bool):
            raise SettingsError(f"The request's {name} must be {_WORDS[wanted]}.")
    for name, kinds in _OTHERS.items() if kind != "named call" else ():
        if name in value and name not in required and not isinstance(value[name], kinds):
            raise SettingsError(f"The request's {name} is of a wrong kind.")
    session = value.get("session_hash") if kind != "named call" else None
    if session is not None and not SESSION.fullmatch(session):
        raise SettingsError(
            "The request's session_hash must have 1 to 64 letters, digits, - and _."
        )
    return value


def _too_deep(limits: Limits) -> str:
    return f"The request's JSON is nested more than {limits.json_depth} deep."


def _is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects are nested more than so deep."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
