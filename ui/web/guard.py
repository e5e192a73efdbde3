"""The server's door: which requests come in, what every answer carries, and who may ask.

Pure ASGI and outermost, so that no answer, gradio's included, goes around it.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import parse_qsl

import anyio
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from assistant.errors import SettingsError
from ui.web.bodies import SlowBodyError, parse_request, read_body, receive_in_time, replay
from ui.web.headers import secure_headers
from ui.web.hosts import LOOPBACK, Hosts, find_refusal, name_of
from ui.web.limits import Limits
from ui.web.login import Login, Logins, retry_after
from ui.web.page import functions_js, login_page, secure_page
from ui.web.sessions import Sessions
from ui.web.turns import CLIENT, FairQueue
from ui.web.uploads import Uploads, problem

App = Callable[[Any, Any, Any], Awaitable[None]]
API = "/gradio_api"
LOGIN_BYTES = 4096
# What the page and gradio's clients ask for; nothing else of gradio's server is there.
_READ = re.compile(
    r"/|/config/?|/favicon\.ico|/theme\.css|/wetread\.js|/logout|/(?:static|assets|svelte)/.+"
    rf"|{API}/(?:info/?|theme\.css|queue/data|upload_progress"
    r"|heartbeat/[A-Za-z0-9_-]{1,64}|call/(?:v2/)?[^/]+/[^/]+)"
)
_WRITTEN = re.compile(
    rf"/login|/logout|{API}/(?:upload|queue/join|cancel|reset/?|call/(?:v2/)?[^/]+/?)"
)
ENCRYPT = (
    "A password is taken by https only: start the server with --certificate and --key, or put a "
    "proxy with TLS before it and start it with --behind-proxy."
)


@dataclass(frozen=True, slots=True)
class Guard:
    """The application with all that stands before it."""

    app: App  # gradio's
    hosts: Hosts
    logins: Logins | None  # None: no login is asked for
    sessions: Sessions
    uploads: Uploads
    queue: FairQueue
    limits: Limits
    endpoints: dict[str, tuple[str, ...]]  # the parameters of each
    cookie: str  # its name
    secure: bool  # whether the cookie goes by https only
    behind_proxy: bool = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets
            await send({"type": "websocket.close", "code": 1008})
            return
        nonce = secrets.token_urlsafe(16) if scope["path"] == "/" else ""
        started = False

        async def send_secured(message: Any) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = secure_headers(
                    [*message["headers"]],
                    scope["path"],
                    encrypted=self.hosts.encrypted,
                    nonce=nonce,
                )
                message = {**message, "headers": headers}
            with anyio.fail_after(self.limits.send_seconds):
                await send(message)

        try:
            timed = receive_in_time(receive, self.limits)
            answer = await self._answer(scope, timed, send_secured, nonce)
            if answer is not None:
                await answer(scope, timed, send_secured)
        except SlowBodyError:
            if not started:
                late = problem(408, "The request came too slowly.", {"connection": "close"})
                await late(scope, receive, send_secured)
        except (TimeoutError, asyncio.CancelledError):
            # The visitor takes nothing, or the server ends: so does the connection.
            with suppress(OSError, RuntimeError):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _answer(self, scope: Any, receive: Any, send: Any, nonce: str) -> Response | None:
        """Answer a request, or return the answer."""
        refusal = find_refusal(self.hosts, scope)
        if refusal:
            return problem(403, refusal)
        method, path = scope["method"], scope["path"]
        address = self._address_of(scope)
        if path == "/login" and method == "POST":
            return await self._log_in(scope, receive, address)
        token = self._token_of(scope)
        found = self.logins.find(token) if self.logins else None
        if self.logins and found is None:
            if path == "/" and method in ("GET", "HEAD"):
                return HTMLResponse(login_page())
            return problem(401, "Log in first.")
        client = found[0] if found else address
        scope[CLIENT] = client
        allowed = _READ if method in ("GET", "HEAD") else _WRITTEN
        if method not in ("GET", "HEAD", "POST") or not allowed.fullmatch(path):
            return problem(404, "There is nothing at this address.")
        if path == "/logout":
            return self._log_out(token)
        if found is None:
            return await self._serve(scope, receive, send, nonce)
        work = partial(self._serve, scope, receive, send, nonce)
        busy = path == f"{API}/queue/data"  # the results of jobs: they count as use
        return await self._serve_until(found[1], work, send, busy=busy)

    async def _serve_until(
        self,
        login: Login,
        work: Callable[[], Awaitable[Response | None]],
        send: Any,
        *,
        busy: bool,
    ) -> Response | None:
        """Serve a request as long as the login lasts: open streams end with it."""
        job = asyncio.ensure_future(work())
        ended = asyncio.ensure_future(login.ended.wait())
        try:
            while not (job.done() or ended.done()):
                await asyncio.wait({job, ended}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
                if busy:
                    login.last_used = time.monotonic()
            if job.done():
                return job.result()
            job.cancel()
            await asyncio.wait({job})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return None
        finally:
            job.cancel()
            ended.cancel()

    async def _serve(self, scope: Any, receive: Any, send: Any, nonce: str) -> Response | None:
        path, client = scope["path"], scope[CLIENT]
        kind = path.removeprefix(API).strip("/").split("/")
        if path == "/":
            return await self._page(scope, receive, nonce)
        if path == "/wetread.js":
            return Response(functions_js(), media_type="text/javascript")
        if path == f"{API}/upload":
            return await self.uploads.receive(Request(scope, receive), client)
        if path == f"{API}/upload_progress":  # the page is told when the upload itself ends
            return Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")
        if kind[0] in ("queue", "call", "cancel", "reset") and scope["method"] == "POST":
            return await self._post(kind, scope, receive, send)
        refusal = self._find_stream_refusal(kind, scope)
        if refusal:
            return problem(404, refusal)
        if kind[0] == "heartbeat" and path.startswith(API):
            self.sessions.open_heartbeat(kind[1], client)
            try:
                await self.app(scope, receive, send)
            finally:
                self.sessions.close_heartbeat(kind[1])
            return None
        await self.app(scope, receive, send)
        return None

    async def _post(self, kind: list[str], scope: Any, receive: Any, send: Any) -> Response | None:
        """Check a JSON request and hand it on."""
        by_name = kind[:2] == ["call", "v2"]
        what = "named call" if by_name else {"queue": "join"}.get(kind[0], kind[0])
        if kind[0] == "call" and kind[-1] not in self.endpoints:
            return problem(404, "There is no such endpoint.")
        body = await read_body(receive, self.limits.json_bytes)
        if body is None:
            return problem(413, f"The request is over {self.limits.json_bytes / 1e6:.1f} MB.")
        if not Headers(scope=scope).get("content-type", "").startswith("application/json"):
            return problem(415, "The request must be application/json.")
        try:
            request = await anyio.to_thread.run_sync(parse_request, what, body, self.limits)
        except SettingsError as refusal:
            return problem(400, str(refusal))
        if by_name:
            names = self.endpoints[kind[-1]]
            data = [request[name] for name in names] if request.keys() == {*names} else []
            body = json.dumps({"data": data}).encode()
            scope = {**scope, "path": f"{API}/call/{kind[-1]}"}
            request = {}
        session = request.get("session_hash")
        if session and self.sessions.is_other_clients(session, scope[CLIENT]) and self.logins:
            return problem(403, "This session is another visitor's.")
        await self.app(scope, replay(body, receive), send)
        return None

    def _find_stream_refusal(self, kind: list[str], scope: Any) -> str:
        """Why there is nothing to listen to; empty where there is."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        gone = "There is no such job, or it has been fetched already."
        if kind == ["queue", "data"]:
            session = query.get("session_hash", "")
            if session not in self.queue.pending_messages_per_session:
                return gone
        elif kind[0] == "call":
            ids = self.queue.pending_event_ids_session
            if kind[-1] not in self.queue.event_ids_to_events and not any(
                kind[-1] in own for own in [*ids.values()]
            ):
                return gone
            session = ""
        else:
            session = kind[1] if kind[0] == "heartbeat" else ""
        if self.logins and self.sessions.is_other_clients(session, scope[CLIENT]):
            return gone
        return ""

    async def _page(self, scope: Any, receive: Any, nonce: str) -> Response:
        """Gradio's page, made fit for the policy."""
        parts: list[bytes] = []
        status = 500

        async def collect(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            parts.append(message.get("body", b""))

        # Not compressed, and whole.
        headers = [(k, v) for k, v in scope["headers"] if k not in (b"accept-encoding", b"range")]
        await self.app({**scope, "method": "GET", "headers": headers}, receive, collect)
        html = secure_page(b"".join(parts).decode(), nonce) if status == 200 else None
        return HTMLResponse(html) if html else problem(500, "The page cannot be made.")

    async def _log_in(self, scope: Any, receive: Any, address: str) -> Response:
        """Answer a name and a password; a browser gets a page, a program JSON."""
        by_browser = "text/html" in Headers(scope=scope).get("accept", "")
        body = await read_body(receive, LOGIN_BYTES)
        fields = dict(parse_qsl((body or b"").decode("utf-8", "replace"), keep_blank_values=True))
        if self.logins is None:
            return RedirectResponse("./", 303)
        if not self._is_encrypted(scope):
            return HTMLResponse(login_page(ENCRYPT), 403) if by_browser else problem(403, ENCRYPT)
        name, password = fields.get("username", "").strip(), fields.get("password", "")
        token, wait = self.logins.log_in(name, password, address)
        if token is None:
            status = 429 if wait > 0 else 401
            again = f"Try again in {retry_after(wait)} s." if wait > 0 else ""
            words = again or "The name or the password is wrong."
            headers = {"retry-after": retry_after(wait)} if wait > 0 else {}
            if by_browser:
                return HTMLResponse(login_page(words), status, headers)
            return problem(status, words, headers)
        answer = RedirectResponse("./", 303) if by_browser else JSONResponse({"success": True})
        answer.set_cookie(
            self.cookie, token, path="/", httponly=True, samesite="strict", secure=self.secure
        )
        return answer

    def _log_out(self, token: str | None) -> Response:
        """End the login, and what its sessions hold."""
        key = self.logins.log_out(token) if self.logins else None
        if key:
            self.sessions.drop_client(key)
            self.uploads.drop_client(key)
        answer = RedirectResponse("./", 303)
        answer.delete_cookie(
            self.cookie, path="/", httponly=True, samesite="strict", secure=self.secure
        )
        return answer

    def _is_encrypted(self, scope: Any) -> bool:
        """Whether a password that was sent could be read by nobody on its way."""
        if self.behind_proxy:
            return Headers(scope=scope).get("x-forwarded-proto", "https") == "https"
        return scope["scheme"] == "https" or name_of(scope) in LOOPBACK

    def _token_of(self, scope: Any) -> str | None:
        jar = SimpleCookie()
        try:
            jar.load(Headers(scope=scope).get("cookie", ""))
        except CookieError:
            return None
        return jar[self.cookie].value if self.cookie in jar else None

    def _address_of(self, scope: Any) -> str:
        """Where a request comes from: an address, or the network of one in IPv6."""
        address = str((scope.get("client") or ("",))[0])
        if self.behind_proxy:  # the last entry is the proxy's own; those before it anyone's
            forwarded = Headers(scope=scope).getlist("x-forwarded-for")
            address = forwarded[-1].rpartition(",")[2].strip() if forwarded else address
        try:
            found = ip_address(address)
        except ValueError:
            return address[:64]
        wide = isinstance(found, IPv6Address) and found.ipv4_mapped is None
        return str(ip_network(f"{found}/64", strict=False)) if wide else str(found)


async def sweep(guard: Guard) -> None:
    """Drop what is over, again and again."""
    while True:
        await asyncio.sleep(guard.limits.sweep_seconds)
        if guard.logins:
            guard.logins.sweep()
        for part in (guard.sessions, guard.uploads):
            await anyio.to_thread.run_sync(part.sweep)
