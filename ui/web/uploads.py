"""Uploads: each in a folder of its own under a random name, never under its own, and bounded.

A file's name may be a patient's: it is forgotten where the request is read.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
from gradio.route_utils import GradioMultiPartParser
from python_multipart.exceptions import MultipartParseError
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ui.web.arguments import UPLOADS
from ui.web.folders import size_of
from ui.web.limits import Limits

_CHECKED_EVERY = 4 * 2**20  # bytes of an upload between two looks at the space


class NoRoomError(Exception):
    """An upload for which there is no room; one sentence."""


class Uploads:
    """The uploaded files of one server that nobody has read yet."""

    def __init__(self, home: Path, limits: Limits) -> None:
        self.folder = home / UPLOADS
        self.folder.mkdir(mode=0o700)
        self._limits = limits
        self._owners: dict[Path, tuple[str, float]] = {}  # of a request's folder: client, time

    async def receive(self, request: Request, client: str) -> Response:
        """Store the files of a request; answers with their paths, as gradio's own route does."""
        form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if form != "multipart/form-data":
            return problem(400, "An upload must be multipart/form-data.")
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        self._owners[folder] = client, time.monotonic()
        kept = False
        try:
            paths = await self._store(request, folder, client)
            kept = bool(paths)
            return JSONResponse([str(path) for path in paths])
        except NoRoomError as refusal:
            return problem(413, str(refusal))
        except MultiPartException as refusal:
            large = "size" in refusal.message
            return problem(
                413 if large else 400,
                "The upload is too large." if large else "The upload's form cannot be read.",
            )
        except (MultipartParseError, AttributeError, LookupError, UnicodeError):
            # What gradio's parser makes of forms that no browser sends.
            return problem(400, "The upload's form cannot be read.")
        except ClientDisconnect:
            return problem(400, "The upload was broken off.")
        finally:
            if not kept:
                self._delete(folder)

    def sweep(self) -> None:
        """Delete the uploads that nobody has read in time, and the folders of those that were."""
        now = time.monotonic()
        for folder, (_, started) in [*self._owners.items()]:
            if now - started > self._limits.upload_seconds or not folder.exists():
                self._delete(folder)

    def drop_client(self, client: str) -> None:
        """Delete what a client has uploaded."""
        for folder in [f for f, (owner, _) in self._owners.items() if owner == client]:
            self._delete(folder)

    def is_other_clients(self, path: str, client: str) -> bool:
        """Whether an uploaded file is another client's."""
        return self._owners.get(Path(path).parent, (client, 0.0))[0] != client

    async def _store(self, request: Request, folder: Path, client: str) -> list[Path]:
        # Without gradio's progress: it would keep the name of each file for ever.
        parser = GradioMultiPartParser(
            request.headers,
            self._bounded(request, client),  # type: ignore[arg-type]
            max_files=self._limits.upload_files,
            max_fields=10,
            upload_dir=folder,
            max_file_size=self._limits.upload_bytes,
        )
        form = await parser.parse()
        files = [file for file in form.getlist("files") if not isinstance(file, str)]
        paths = []
        for number, file in enumerate(files, 1):
            await file.close()
            path = folder / (f"film-{number}" if len(files) > 1 else "film")
            Path(file.file.name).rename(path)  # type: ignore[arg-type]
            paths.append(path)
        return paths

    async def _bounded(self, request: Request, client: str) -> Any:
        """The request's body, as long as there is room for it."""
        await anyio.to_thread.run_sync(self._check_room, client)
        since = 0
        async for chunk in request.stream():
            since += len(chunk)
            if since > _CHECKED_EVERY:
                since = 0
                await anyio.to_thread.run_sync(self._check_room, client)
            yield chunk

    def _check_room(self, client: str) -> None:
        """Raise NoRoomError where a client, or all together, have uploaded as much as they may."""
        limits = self._limits
        own = [folder for folder, (owner, _) in [*self._owners.items()] if owner == client]
        files = sum(len([*folder.iterdir()]) for folder in own if folder.exists())
        if files > limits.upload_files_each:
            raise NoRoomError(f"{files} of your files wait to be read; upload more when they are.")
        if sum(size_of(folder) for folder in own) > limits.upload_bytes_each:
            raise NoRoomError("Your uploads are as large as they may be; wait until they are read.")
        if size_of(self.folder) > limits.upload_bytes_all:
            raise NoRoomError("The server holds as many uploads as it may; try again later.")
        if shutil.disk_usage(self.folder).free < limits.free_bytes:
            raise NoRoomError("The server's disk is full; try again later.")

    def _delete(self, folder: Path) -> None:
        self._owners.pop(folder, None)
        shutil.rmtree(folder, ignore_errors=True)


def delete_upload(path: str | None) -> None:
    """Delete an uploaded file, and its folder with the last of its files."""
    if path:
        Path(path).unlink(missing_ok=True)
        with suppress(OSError):  # another file of the same request is still there
            Path(path).parent.rmdir()


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An answer that says in one sentence why there is no other."""
    return JSONResponse({"detail": sentence, "error": sentence}, status, headers)
