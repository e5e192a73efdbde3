"""The server of the page: gradio's application behind the guard, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI

from assistant.errors import SettingsError
from ui.web.connections import Connections, TimedProtocol
from ui.web.guard import Guard, sweep
from ui.web.hosts import hosts_of, on_loopback
from ui.web.limits import Limits
from ui.web.login import Logins
from ui.web.sessions import Sessions
from ui.web.turns import FairQueue
from ui.web.uploads import Uploads

START_SECONDS, END_SECONDS = 30.0, 5.0
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - every address of the machine


@dataclass(frozen=True, slots=True)
class Access:
    """Who may reach the chat, and how."""

    user: tuple[str, str] | None = None  # name and password
    allowed_hosts: tuple[str, ...] = ()  # names of this server besides its address
    certificate: Path | None = None  # PEM files of TLS
    key: Path | None = None
    behind_proxy: bool = False  # a proxy with TLS stands before it, and nothing else reaches it

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise SettingsError("TLS needs both --certificate and --key.")
        if self.certificate and self.key:
            try:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certificate, self.key, password="")
            except (OSError, ssl.SSLError):
                raise SettingsError(
                    "The certificate and its key cannot be read, or do not belong together; give "
                    "two PEM files, the key without a password."
                ) from None

    @property
    def encrypted(self) -> bool:
        """Whether browsers reach the server by https."""
        return self.certificate is not None or self.behind_proxy


@contextmanager
def serve_page(
    page: gr.Blocks, home: Path, address: tuple[str, int], *,
    access: Access, limits: Limits, refuse: Any, appearance: dict[str, Any],
) -> Iterator[str]:  # fmt: skip
    """Serve a page while the block runs; yields its address.

    `home` is the folder of uploads, `refuse` the function of the event that says what is wrong
    with arguments, `appearance` what gradio takes of theme and style. Raises SettingsError where
    the address is taken or there is no such.
    """
    listener = _listen(address)
    connections = Connections(limits, behind_proxy=access.behind_proxy)
    guard = _build(page, home, address, access, limits, refuse, appearance)
    config = uvicorn.Config(
        guard,  # type: ignore[arg-type]
        http=partial(TimedProtocol, book=connections),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=32_768,
        ssl_certfile=access.certificate,
        ssl_keyfile=access.key,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="wetread-server")
    thread.daemon = True
    thread.start()
    try:
        end = time.monotonic() + START_SECONDS
        while not server.started:
            if time.monotonic() > end or not thread.is_alive():
                raise SettingsError("The server did not start; its log says why.")
            time.sleep(0.005)
        yield _url(address, access)
    finally:
        page._queue.close()
        page.is_running = False
        server.should_exit = True
        thread.join(END_SECONDS)
        listener.close()


def _build(
    page: gr.Blocks, home: Path, address: tuple[str, int], access: Access, limits: Limits,
    refuse: Any, appearance: dict[str, Any],
) -> Guard:  # fmt: skip
    """Gradio's application behind the guard."""
    sessions = Sessions(limits, lambda name: _forget(page, name))
    page.state_session_capacity = limits.sessions + 50  # ours goes first
    page._queue = queue = FairQueue(
        sessions, limits, refuse, live_updates=True, concurrency_count=page.max_threads,
        update_intervals=1, max_size=None, blocks=page, default_concurrency_limit=1,
    )  # fmt: skip
    page.api_open = False

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(sweep(guard))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    inner = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app = gr.mount_gradio_app(
        inner, page, "/", show_error=False, ssr_mode=False, run_history=False, footer_links=[],
        enable_monitoring=False, max_file_size=limits.upload_bytes, pwa=False, mcp_server=False,
        **appearance,
    )  # fmt: skip
    public = [fn for fn in page.fns.values() if fn.api_visibility == "public"]
    remote = not on_loopback(address[0])
    port = address[1]
    guard = Guard(
        app=app,
        hosts=hosts_of(
            "localhost" if address[0] in WILDCARDS else address[0], access.allowed_hosts,
            encrypted=access.encrypted,
        ),
        logins=Logins(access.user, limits) if access.user else None,
        sessions=sessions,
        uploads=Uploads(home, limits),
        queue=queue,
        limits=limits,
        endpoints={
            str(fn.api_name): tuple(str(getattr(widget, "label", "")) for widget in fn.inputs)
            for fn in public
        },
        cookie=f"wetread-{port}",
        secure=access.encrypted or remote,
        behind_proxy=access.behind_proxy,
    )  # fmt: skip
    return guard


def _forget(page: gr.Blocks, session: str) -> None:
    """Drop all that gradio keeps of a session; its states delete what they have on disk."""
    page._queue.forget(session)  # type: ignore[attr-defined]
    holder = getattr(page, "state_holder", None)
    if holder is None:
        return
    with holder.lock:
        state = holder.session_data.pop(session, None)
        holder.time_last_used.pop(session, None)
    # Gradio's own deletion passes over states that no event has given back yet.
    for key, value in (state.state_data if state else {}).items():
        block = page.blocks.get(key)
        if isinstance(block, gr.State):
            block.delete_callback(value)


def _listen(address: tuple[str, int]) -> socket.socket:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, as asyncio sends at once (TCP_NODELAY) only where it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where it would let two servers have one address
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(512)
    except OSError:
        listener.close()
        raise SettingsError(
            f"{host}:{port} is taken, or is no address of this machine: serve on another."
        ) from None
    return listener


def _url(address: tuple[str, int], access: Access) -> str:
    host, port = address
    name = "localhost" if host in WILDCARDS else f"[{host}]" if ":" in host else host
    return f"{'https' if access.certificate else 'http'}://{name}:{port}/"
