"""The command that serves the chat."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from assistant.errors import SettingsError
from cli.options import Backbone, Download, LibraryAt, open_assistant


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the chat listens.")] = 7860,
    host: Annotated[
        str, typer.Option(help="Address; another than this machine's own is warned of.")
    ] = "127.0.0.1",
    user: Annotated[
        str | None,
        typer.Option(help="Name that visitors must give, with the password in WETREAD_PASSWORD."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="Another name by which visitors reach the server; repeatable."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file of a TLS certificate; needs --key.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    behind_proxy: Annotated[
        bool,
        typer.Option(
            "--behind-proxy",
            help="A proxy with TLS stands before the server, and sets X-Forwarded-For.",
        ),
    ] = False,
    backbone: Backbone = "mini",
    download: Download = False,
    library: LibraryAt = None,
) -> None:
    """Serve the chat, by default to this machine alone."""
    import app as chat

    credentials = None
    if user is not None:
        # Never on the command line, where every user of the machine reads it.
        credentials = user, os.environ.pop("WETREAD_PASSWORD", "")
        if not all(credentials):
            raise SettingsError(
                "A user needs a name and a password; put the password into the environment as "
                "WETREAD_PASSWORD."
            )
    access = chat.Access(credentials, tuple(allowed_host or ()), certificate, key, behind_proxy)
    chat.serve(
        open_assistant(backbone, library, download=download), port=port, host=host, access=access
    )
