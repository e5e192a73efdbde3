"""Serves the chat: its address, its access, and what is deleted when it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

from assistant.assistant import Assistant
from assistant.errors import WetreadError
from ui.api import refuse
from ui.jobs import in_model_thread
from ui.page import build, theme
from ui.web.folders import own_folder
from ui.web.hosts import on_loopback
from ui.web.limits import Limits
from ui.web.server import Access, serve_page

HOST, PORT = "127.0.0.1", 7860
OPEN = (
    "The chat listens on {host}, not on this machine alone: whoever reaches it can use it. Set a "
    "user and a password (--user)."
)
UNENCRYPTED = (
    "Films and reports travel unencrypted, and no password is taken from another machine: give a "
    "certificate (--certificate, --key), or put it behind a proxy with TLS (--behind-proxy)."
)
# Signals that end no process unless it wants that, that come from its own faults, or that cannot
# be caught.
NOT_ENDING = (
    "SIGKILL", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT", "SIGCHLD", "SIGURG",
    "SIGWINCH", "SIGPIPE", "SIGXFSZ", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS",
)  # fmt: skip


@contextmanager
def serve_chat(
    assistant: Assistant,
    port: int = PORT,
    host: str = HOST,
    user: tuple[str, str] | None = None,
    *,
    access: Access | None = None,
    limits: Limits | None = None,
) -> Iterator[str]:
    """Serve the chat while the block runs; yields its address.

    `user` is a name and a password that visitors must give; `access` says that and more, such as
    a certificate. Raises SettingsError where the address is taken or there is no such.
    """
    access, limits = access or Access(user), limits or Limits()
    local = on_loopback(host) and not access.behind_proxy
    # Uploads and films lie in a folder of this process that no other user can enter.
    with own_folder() as home, _environment("GRADIO_TEMP_DIR", str(home)):
        page = build(assistant, home, local=local, limits=limits, logout=access.user is not None)
        with serve_page(
            page,
            home,
            (host, port),
            access=access,
            limits=limits,
            refuse=refuse,
            appearance=theme(),
        ) as url:
            yield url


def serve(
    assistant: AbstractContextManager[Assistant] | None = None,
    port: int = PORT,
    host: str = HOST,
    user: tuple[str, str] | None = None,
    *,
    access: Access | None = None,
) -> None:
    """Serve the chat until it is interrupted, by Ctrl-C or any other signal.

    `assistant` gives the assistant where it is entered, which is done here; None: the default.
    """
    access = access or Access(user)
    for warning in _warnings(host, access):
        sys.stderr.write(f"Warning: {warning}\n")
    umask = os.umask(0o077)  # all files of this process are its user's alone
    try:
        with suppress(KeyboardInterrupt), _ended_by_signals(), ExitStack() as stack:
            loaded = in_model_thread(lambda: stack.enter_context(assistant or Assistant.load()))
            url = stack.enter_context(serve_chat(loaded, port, host, access=access))
            sys.stdout.write(f"Wetread reads at {url} until you press Ctrl-C.\n")
            sys.stdout.flush()
            threading.Event().wait()
    finally:
        os.umask(umask)


def _warnings(host: str, access: Access) -> Iterator[str]:
    if not on_loopback(host) or access.behind_proxy:
        if access.user is None:
            yield OPEN.format(host="a proxy's address" if access.behind_proxy else host)
        if not access.encrypted:
            yield UNENCRYPTED


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Every signal that would end the process ends the block by KeyboardInterrupt, once."""
    ended = False

    def end(*_: Any) -> None:
        nonlocal ended
        if not ended:  # a second one does not break off the deleting of the first
            ended = True
            raise KeyboardInterrupt

    names = {getattr(signal, name, None) for name in NOT_ENDING}
    previous = {}
    for number in signal.valid_signals() - names:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            previous[number] = signal.signal(number, end)  # what is ignored (nohup) stays so
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A variable of the environment while the block runs."""
    previous = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if previous is not None:
            os.environ[name] = previous


def main() -> None:
    """Serve the chat; what goes wrong is one sentence."""
    try:
        serve()
    except WetreadError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
