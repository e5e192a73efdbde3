"""What made an output, so that it can be made again; on every output."""

from __future__ import annotations

import datetime
import hashlib
from functools import cache
from importlib import metadata

from assistant.backbones.protocols import Identity
from assistant.types import Provenance
from retrieval import Library

PACKAGES = ("wetread", "torch", "transformers")


def provenance_of(
    identity: Identity, library: Library | None, request: str, seed: int
) -> Provenance:
    """What made an output: the words that were asked for it are told only by their hash."""
    return Provenance(
        backbone=identity.name,
        revision=identity.revision,
        library=library.snapshot_id() if library else "none",
        prompt_sha256=hashlib.sha256(request.encode()).hexdigest(),
        seed=seed,
        versions=tuple((name, _version(name)) for name in PACKAGES),
        time=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        adapter=identity.adapter,
    )


@cache  # what is installed stays as it is while it runs, and reading it takes milliseconds
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "source"
