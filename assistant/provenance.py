"""The provenance of an output: what produced it, so that it can be reproduced."""

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
    """The provenance of an output; the request is kept only as its hash."""
    return Provenance(
        backbone=identity.name,
        revision=identity.revision,
        library=library.snapshot_id() if library else "none",
        prompt_sha256=hashlib.sha256(request.encode()).hexdigest(),
        seed=seed,
        versions=tuple((name, _installed_version(name)) for name in PACKAGES),
        time=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        adapter=identity.adapter,
    )


@cache  # installed versions do not change while the process runs; reading one takes milliseconds
def _installed_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "source"
