"""Connections as the server sees them: how many an address may have, and how slow they may be.

uvicorn waits for the headers of a request as long as a visitor likes. Here a connection that
sends no whole request in time is closed, and where an address has too many, those that wait go
first: half-sent requests keep nobody out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from ui.web.limits import Limits


class Connections:
    """The open connections of a server, the oldest first."""

    def __init__(self, limits: Limits, *, behind_proxy: bool) -> None:
        self.limits = limits
        self._each = limits.connections if behind_proxy else limits.connections_each
        self._open: dict[TimedProtocol, str] = {}

    def add(self, connection: TimedProtocol, address: str) -> bool:
        """Add a connection; False where there is no place for it."""
        counts = Counter(self._open.values())
        full = ""
        if counts[address] >= self._each:
            full = address
        elif len(self._open) >= self.limits.connections:
            full = counts.most_common(1)[0][0]
        if full:
            waiting = [c for c, owner in self._open.items() if owner == full and not c.is_busy]
            if not waiting:
                return False
            self.remove(waiting[0])
            waiting[0].transport.abort()
        self._open[connection] = address
        return True

    def remove(self, connection: TimedProtocol) -> None:
        """Remove a connection that has ended."""
        self._open.pop(connection, None)


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with a time in which the headers of a request must be there."""

    def __init__(self, *, book: Connections, **options: Any) -> None:
        super().__init__(**options)
        self._book = book
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the connection its place and its time."""
        super().connection_made(transport)
        if self._book.add(self, self.client[0] if self.client else ""):
            self._watch()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._book.remove(self)
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come; its time begins with the first byte of a request."""
        super().data_received(data)
        self._watch()

    def _watch(self) -> None:
        if self.is_busy or self.transport.is_closing() or self.timeout_keep_alive_task is not None:
            self._stop_watching()
        elif self._deadline is None:
            seconds = self._book.limits.header_seconds
            self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
