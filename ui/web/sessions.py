"""Which sessions there are, and when each is over: its page was closed, or nobody uses it.

What a session holds goes with it: gradio calls `delete_callback` of its states, which deletes
its films.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ui.web.limits import Limits


@dataclass(slots=True)
class _Visit:
    client: str
    last_used: float
    heartbeats: int = 0  # connections by which the page says that it is open
    closed: float | None = None  # when the last of them ended


class Sessions:
    """The sessions of one server; `forget` drops what one of them holds."""

    def __init__(self, limits: Limits, forget: Callable[[str], None]) -> None:
        self._limits, self._forget = limits, forget
        self._visits: dict[str, _Visit] = {}  # the one that was idle longest comes first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._visits)

    def use(self, session: str, client: str) -> None:
        """Note that a session is used; where there are too many, another one goes."""
        with self._lock:
            visit = self._visits.pop(session, None) or _Visit(client, 0.0)
            visit.last_used = time.monotonic()
            self._visits[session] = visit
            gone = self._superfluous() if len(self._visits) > self._limits.sessions else None
        if gone is not None:
            self.drop(gone)

    def touch(self, session: str) -> None:
        """Note that something happens in a session: a job of it waits, or runs."""
        visit = self._visits.get(session)
        if visit is not None:
            visit.last_used = time.monotonic()

    def _superfluous(self) -> str:
        """A session of the client that has most: without an open page if there is such, idle."""
        counts = Counter(visit.client for visit in self._visits.values())
        client = counts.most_common(1)[0][0]
        own = [name for name, visit in self._visits.items() if visit.client == client]
        return next((name for name in own if not self._visits[name].heartbeats), own[0])

    def is_other_clients(self, session: str, client: str) -> bool:
        """Whether a session belongs to another client than this."""
        visit = self._visits.get(session)
        return visit is not None and visit.client != client

    def open_heartbeat(self, session: str, client: str) -> None:
        """A page says that it is open."""
        self.use(session, client)
        visit = self._visits.get(session)
        if visit is not None:
            visit.heartbeats, visit.closed = visit.heartbeats + 1, None

    def close_heartbeat(self, session: str) -> None:
        """A page was closed, or has lost its connection."""
        visit = self._visits.get(session)
        if visit is not None:
            visit.heartbeats = max(0, visit.heartbeats - 1)
            visit.closed = None if visit.heartbeats else time.monotonic()

    def has_page(self, session: str) -> bool:
        """Whether a session's page says that it is open."""
        visit = self._visits.get(session)
        return visit is not None and visit.heartbeats > 0

    def drop(self, session: str) -> None:
        """Delete all that a session holds."""
        with self._lock:
            self._visits.pop(session, None)
        self._forget(session)

    def drop_client(self, client: str) -> None:
        """Delete all that the sessions of a client hold."""
        for session in [name for name, v in [*self._visits.items()] if v.client == client]:
            self.drop(session)

    def sweep(self) -> None:
        """Drop the sessions that are over, and give their memory back."""
        now = time.monotonic()
        over = [name for name, visit in [*self._visits.items()] if self._is_over(visit, now)]
        for session in over:
            self.drop(session)
        if over:
            _trim_memory()

    def _is_over(self, visit: _Visit, now: float) -> bool:
        limits, idle = self._limits, now - visit.last_used
        if visit.closed is not None and now - visit.closed > limits.closed_seconds:
            return True
        return idle > (limits.idle_seconds if visit.heartbeats else limits.silent_seconds)


def _trim_memory() -> None:
    """Give freed memory back to the system, where the C library is glibc, which keeps it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
