"""Serves the chat: its address, its access, and what is deleted when it ends."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from assistant.assistant import Assistant
from assistant.errors import SettingsError, WetreadError
from ui.jobs import in_model_thread
from ui.page import build, theme

HOST, PORT = "127.0.0.1", 7860
MAX_SESSIONS = 200  # sessions in memory; the one that was idle longest goes first
MAX_UPLOAD_BYTES = 2 * 2**30  # of one upload, which may be a zip; a film's own limit is intake's
MAX_WAITING = 100  # jobs that may wait in line; more are turned away at once
LOCAL_OPTIONS: Any = {
    "share": False,
    "run_history": False,
    "enable_monitoring": False,
    "ssr_mode": False,
}
WARNING = (
    "The chat listens on {host}, not on this machine alone: whoever reaches it can use it, and "
    "films and reports travel unencrypted. Put it behind a proxy with TLS, and set a user and a "
    "password (--user)."
)


@contextmanager
def serve_chat(
    assistant: Assistant,
    port: int = PORT,
    host: str = HOST,
    user: tuple[str, str] | None = None,
) -> Iterator[str]:
    """Serve the chat while the block runs; yields its address.

    `user` is a name and a password that visitors must give. Raises SettingsError where the
    address is taken or there is no such.
    """
    limits: Any = {"max_file_size": MAX_UPLOAD_BYTES, "state_session_capacity": MAX_SESSIONS}
    address: Any = {"server_name": host, "server_port": port, "prevent_thread_lock": True}
    appearance: Any = {**theme(), "footer_links": [], "quiet": True, "auth": user}
    if on_loopback(host):
        # A page elsewhere could give its name this machine's address, and would then be taken for
        # this one: only our own names are answered ("DNS rebinding").
        middleware = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost", host])
        appearance["app_kwargs"] = {"middleware": [middleware]}
    # Uploads lie in a folder of this process that no other user can enter and that goes with it.
    with tempfile.TemporaryDirectory(prefix="wetread-", ignore_cleanup_errors=True) as folder:
        previous = os.environ.get("GRADIO_TEMP_DIR")
        os.environ["GRADIO_TEMP_DIR"] = folder
        unpacked = Path(folder) / "unpacked"
        unpacked.mkdir(mode=0o700)
        page = build(assistant, unpacked, local=on_loopback(host))
        page.queue(api_open=False, max_size=MAX_WAITING)
        try:
            try:
                url = page.launch(**address, **LOCAL_OPTIONS, **limits, **appearance)[1]
            except OSError:
                raise SettingsError(f"{host}:{port} is taken: serve on another port.") from None
            yield url
        finally:
            page.close(verbose=False)
            os.environ.pop("GRADIO_TEMP_DIR", None)
            if previous is not None:
                os.environ["GRADIO_TEMP_DIR"] = previous


def on_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def serve(
    assistant: AbstractContextManager[Assistant] | None = None,
    port: int = PORT,
    host: str = HOST,
    user: tuple[str, str] | None = None,
) -> None:
    """Serve the chat until it is interrupted.

    `assistant` gives the assistant where it is entered, which is done here; None: the default.
    """
    if not on_loopback(host):
        sys.stderr.write(f"Warning: {WARNING.format(host=host)}\n")
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        loaded = in_model_thread(lambda: stack.enter_context(assistant or Assistant.load()))
        url = stack.enter_context(serve_chat(loaded, port, host, user))
        sys.stdout.write(f"Wetread reads at {url} until you press Ctrl-C.\n")
        sys.stdout.flush()
        threading.Event().wait()


def main() -> None:
    """Serve the chat; what goes wrong is one sentence."""
    try:
        serve()
    except WetreadError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
