"""Writing a file so that what was there is whole until the new is."""

from __future__ import annotations

from pathlib import Path

from assistant.errors import SettingsError


def write_whole(path: Path, data: bytes) -> None:
    """Write beside and rename; SettingsError where the place cannot be written."""
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); name another.") from None
