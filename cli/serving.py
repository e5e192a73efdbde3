"""The command that serves the chat."""

from __future__ import annotations

import os
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
    backbone: Backbone = "mini",
    download: Download = False,
    library: LibraryAt = None,
) -> None:
    """Serve the chat, by default to this machine alone."""
    import app as chat

    credentials = None
    if user is not None:
        # Never on the command line, where every user of the machine reads it.
        credentials = user, os.environ.get("WETREAD_PASSWORD", "")
        if not all(credentials):
            raise SettingsError(
                "A user needs a name and a password; put the password into the environment as "
                "WETREAD_PASSWORD."
            )
    chat.serve(
        open_assistant(backbone, library, download=download), port=port, host=host, user=credentials
    )
