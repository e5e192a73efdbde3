"""Adding cases whose vectors are at hand: our library beside LanceDB and Qdrant, in rows a second.

Ours waits for the disk before it acknowledges, and keeps a picture and unique films. Qdrant is
told to write its rows out; LanceDB has nothing for that and calls no fsync (strace says so), so
a loss of power may cost it rows that ours keeps. It is measured as it is, and with the files that
it has written synced after each batch. All start empty and get the same rows in the same batches.
The local mode of qdrant-client is left out: it is meant for trials, and takes minutes for what
these take seconds for.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.figures import PairedFigure, time_call, time_in_turns
from benchmarks.vectors import DIM, make_cases, make_queries
from retrieval import Library, NewCase

# Rows in all at each batch, whole and quick: one by one every row waits for the disk.
ROWS = {1: (1_000, 100), 32: (20_000, 500), 256: (20_000, 1_000)}
TURNS = 3

AddBatch = Callable[[Sequence[NewCase]], object]  # adds one batch


def measure(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """Rows a second for each size of batch, ours against each peer's."""
    for batch, rows in ROWS.items():
        new_cases = list(make_cases(make_queries(rows[quick])))
        name = f"adding to the library, batches of {batch}"
        for peer, open_peer in PEERS.items():
            try:
                ours, theirs = time_in_turns(
                    partial(_rows_a_second, _open_ours, scratch, new_cases, batch),
                    partial(_rows_a_second, open_peer, scratch, new_cases, batch),
                    1 if quick else TURNS,
                )
            except ImportError as error:
                reason = f"{error.name} is not installed"
                yield PairedFigure(name, "rows/s", (), peer, bar=1, failed=reason)
                continue
            note = (
                f"{len(new_cases):,} rows of {DIM} numbers; ours is on the disk when acknowledged"
            )
            yield PairedFigure(
                name, "rows/s", ours, peer, theirs, more_is_better=True, bar=1, note=note
            )


def _rows_a_second(
    open_library: Callable[[Path], tuple[AddBatch, Callable[[], object]]],
    scratch: Path,
    new_cases: Sequence[NewCase],
    batch: int,
) -> float:
    folder = scratch / "adding"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    parts = [new_cases[start : start + batch] for start in range(0, len(new_cases), batch)]
    add_batch, close = open_library(folder)
    try:
        return len(new_cases) / time_call(lambda: [add_batch(part) for part in parts])
    finally:
        close()
        shutil.rmtree(folder)


def _open_ours(folder: Path) -> tuple[AddBatch, Callable[[], object]]:
    library = Library.open(folder, encoder="benchmark", dim=DIM)
    return lambda part: list(library.add_many(part, batch=len(part))), library.close


def _open_lancedb(folder: Path) -> tuple[AddBatch, Callable[[], object]]:
    arrow, lancedb = importlib.import_module("pyarrow"), importlib.import_module("lancedb")
    text = arrow.string()
    kinds = {"id": text, "report": text, "labels": arrow.list_(text), "source": text}
    schema = arrow.schema([*kinds.items(), ("vector", arrow.list_(arrow.float32(), DIM))])
    table = lancedb.connect(folder).create_table("cases", schema=schema)

    def add_batch(batch: Sequence[NewCase]) -> None:
        columns = {
            "id": [case.film_sha256 for case in batch],
            "report": [case.report for case in batch],
            "labels": [case.labels for case in batch],
            "source": [case.source for case in batch],
            "vector": arrow.FixedSizeListArray.from_arrays(
                np.concatenate([case.embedding for case in batch]), DIM
            ),
        }
        table.add(arrow.table(columns, schema=schema))

    return add_batch, lambda: None


def _open_lancedb_synced(folder: Path) -> tuple[AddBatch, Callable[[], object]]:
    add_batch, close = _open_lancedb(folder)
    synced: set[Path] = set()

    def add_and_sync(batch: Sequence[NewCase]) -> None:
        add_batch(batch)
        # It writes to no file again but to a hint that it can do without, so each needs this once.
        new = {path for path in folder.rglob("*") if path.is_file()} - synced
        for path in (*new, *{path.parent for path in new}):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        synced.update(new)

    return add_and_sync, close


def _open_qdrant_edge(folder: Path) -> tuple[AddBatch, Callable[[], object]]:
    edge = importlib.import_module("qdrant_edge")
    vector = edge.EdgeVectorParams(size=DIM, distance=edge.Distance.Cosine)
    shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=vector))

    def add_batch(batch: Sequence[NewCase]) -> None:
        points = [
            edge.Point(_uuid(case), case.embedding.tolist(), _payload(case)) for case in batch
        ]
        shard.update(edge.UpdateOperation.upsert_points(points))
        shard.flush()  # without it nothing is on the disk

    return add_batch, shard.close


PEERS = {
    "LanceDB": _open_lancedb,
    "LanceDB, its files synced": _open_lancedb_synced,
    "Qdrant Edge": _open_qdrant_edge,
}


def _uuid(case: NewCase) -> str:
    h = case.film_sha256
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:32]}"


def _payload(case: NewCase) -> dict[str, str | list[str]]:
    return {"report": case.report, "labels": list(case.labels), "source": case.source}
