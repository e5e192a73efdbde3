"""Who has logged in, for how long, and how often a password may be tried."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from ui.web.limits import Limits

MOST_KEPT = 4096  # addresses whose failures are remembered; the oldest go first
FORGET_SECONDS = 3600.0  # after which a failure no longer counts
SECONDS_A_TRY = 2.0  # in which a name gets another try, from wherever


@dataclass(slots=True)
class Login:
    """One visitor who has given the password."""

    started: float
    last_used: float
    ended: asyncio.Event = field(default_factory=asyncio.Event)  # its open answers end with it


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    wait_until: float = 0.0


class Throttle:
    """How long an address, or a name, must wait until it may try a password.

    An address waits longer with each failure. A name has so many tries, wherever they come from,
    and gets another every few seconds; an address that has logged in before needs none of those,
    so that many strangers at once do not lock the user out.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()  # addresses that have logged in
        self._tries = float(limits.name_tries)  # there is one name
        self._counted = time.monotonic()

    def seconds_to_wait(self, address: str, now: float) -> float:
        """Seconds until this address may try; 0 where it may now."""
        failures = self._failures.get(address)
        wait = failures.wait_until - now if failures else 0.0
        tries = self._tries + (now - self._counted) / SECONDS_A_TRY
        if address in self._known:
            return max(wait, 0.0)
        return max(wait, 0.0 if tries >= 1 else (1 - tries) * SECONDS_A_TRY)

    def fail(self, address: str, now: float) -> None:
        """Count a failure."""
        gained = (now - self._counted) / SECONDS_A_TRY
        self._tries = min(self._tries + gained, float(self._limits.name_tries)) - 1
        self._counted = now
        failures = self._failures.pop(address, None)
        if failures is None or now - failures.last > FORGET_SECONDS:
            failures = _Failures()
        failures.count, failures.last = failures.count + 1, now
        beyond = failures.count - self._limits.free_tries
        if beyond >= 0:
            longest = self._limits.longest_wait_seconds
            failures.wait_until = now + min(longest, 2.0 ** min(beyond, 30))
        self._failures[address] = failures
        while len(self._failures) > MOST_KEPT:
            self._failures.popitem(last=False)

    def succeed(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failures.pop(address, None)
        self._known[address] = None
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)


class Logins:
    """The logins of one server, which has one user.

    Tokens are kept as hashes. All methods run in the server's event loop.
    """

    def __init__(self, user: tuple[str, str], limits: Limits) -> None:
        self._user, self._limits = user, limits
        self._logins: OrderedDict[str, Login] = OrderedDict()
        self.throttle = Throttle(limits)

    def log_in(self, name: str, password: str, address: str) -> tuple[str | None, float]:
        """A new token for the right password, or None; and seconds to wait before the next try.

        An address that must wait is refused whatever it sends.
        """
        now = time.monotonic()
        wait = self.throttle.seconds_to_wait(address, now)
        if wait > 0:
            return None, wait
        # Both are compared, always and in full: the time taken tells nothing.
        right = [
            hmac.compare_digest(_digest(given), _digest(true))
            for given, true in zip((name, password), self._user, strict=True)
        ]
        if not all(right):
            self.throttle.fail(address, now)
            return None, 0.0
        self.throttle.succeed(address)
        token = secrets.token_urlsafe(32)
        self._logins[_digest(token).hex()] = Login(now, now)
        while len(self._logins) > self._limits.logins:
            self._logins.popitem(last=False)[1].ended.set()
        return token, 0.0

    def find(self, token: str | None) -> tuple[str, Login] | None:
        """The login of a token with its key, which is used by this; None where it is over."""
        key = _digest(token or "").hex()
        login = self._logins.get(key)
        if login is None:
            return None
        now = time.monotonic()
        if now >= self.end_of(login):
            self._end(key)
            return None
        login.last_used = now
        return key, login

    def end_of(self, login: Login) -> float:
        """When a login is over unless it is used, on the monotonic clock."""
        idle = login.last_used + self._limits.login_idle_seconds
        return min(idle, login.started + self._limits.login_seconds)

    def log_out(self, token: str | None) -> str | None:
        """End a login; returns its key."""
        key = _digest(token or "").hex()
        return key if self._end(key) else None

    def sweep(self) -> None:
        """End the logins that are over."""
        now = time.monotonic()
        for key in [key for key, login in self._logins.items() if now >= self.end_of(login)]:
            self._end(key)

    def _end(self, key: str) -> bool:
        login = self._logins.pop(key, None)
        if login is not None:
            login.ended.set()
        return login is not None


def retry_after(seconds: float) -> str:
    """Seconds as a Retry-After header has them: whole, and at least one."""
    return str(max(1, math.ceil(seconds)))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
