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

from benchmarks.figures import PairedFigure, seconds, time_in_turns
from benchmarks.vectors import DIM, cases, held_out
from retrieval import Library, NewCase

# Rows in all at each batch, whole and quick: one by one every row waits for the disk.
ROWS = {1: (1_000, 100), 32: (20_000, 500), 256: (20_000, 1_000)}
TURNS = 3

Take = Callable[[Sequence[NewCase]], object]  # adds one batch


def figures(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """Rows a second for each size of batch, ours against each peer's."""
    for batch, rows in ROWS.items():
        given = list(cases(held_out(rows[quick])))
        name = f"adding to the library, batches of {batch}"
        for peer, opened in PEERS.items():
            try:
                ours, theirs = time_in_turns(
                    partial(_rate, _ours, scratch, given, batch),
                    partial(_rate, opened, scratch, given, batch),
                    1 if quick else TURNS,
                )
            except ImportError as error:
                why = f"{error.name} is not installed"
                yield PairedFigure(name, "rows/s", (), peer, bar=1, failed=why)
                continue
            note = f"{len(given):,} rows of {DIM} numbers; ours is on the disk when acknowledged"
            yield PairedFigure(
                name, "rows/s", ours, peer, theirs, more_is_better=True, bar=1, note=note
            )


def _rate(
    opened: Callable[[Path], tuple[Take, Callable[[], object]]],
    scratch: Path,
    given: Sequence[NewCase],
    batch: int,
) -> float:
    folder = scratch / "adding"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    parts = [given[start : start + batch] for start in range(0, len(given), batch)]
    take, close = opened(folder)
    try:
        return len(given) / seconds(lambda: [take(part) for part in parts])
    finally:
        close()
        shutil.rmtree(folder)


def _ours(folder: Path) -> tuple[Take, Callable[[], object]]:
    library = Library.open(folder, encoder="benchmark", dim=DIM)
    return lambda part: list(library.add_many(part, batch=len(part))), library.close


def _lancedb(folder: Path) -> tuple[Take, Callable[[], object]]:
    arrow, lancedb = importlib.import_module("pyarrow"), importlib.import_module("lancedb")
    text = arrow.string()
    kinds = {"id": text, "report": text, "labels": arrow.list_(text), "source": text}
    schema = arrow.schema([*kinds.items(), ("vector", arrow.list_(arrow.float32(), DIM))])
    table = lancedb.connect(folder).create_table("cases", schema=schema)

    def take(part: Sequence[NewCase]) -> None:
        columns = {
            "id": [case.film_sha256 for case in part],
            "report": [case.report for case in part],
            "labels": [case.labels for case in part],
            "source": [case.source for case in part],
            "vector": arrow.FixedSizeListArray.from_arrays(
                np.concatenate([case.embedding for case in part]), DIM
            ),
        }
        table.add(arrow.table(columns, schema=schema))

    return take, lambda: None


def _lancedb_synced(folder: Path) -> tuple[Take, Callable[[], object]]:
    take, close = _lancedb(folder)
    synced: set[Path] = set()

    def take_and_sync(part: Sequence[NewCase]) -> None:
        take(part)
        # It writes to no file again but to a hint that it can do without, so each needs this once.
        new = {path for path in folder.rglob("*") if path.is_file()} - synced
        for path in (*new, *{path.parent for path in new}):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        synced.update(new)

    return take_and_sync, close


def _qdrant_edge(folder: Path) -> tuple[Take, Callable[[], object]]:
    edge = importlib.import_module("qdrant_edge")
    vector = edge.EdgeVectorParams(size=DIM, distance=edge.Distance.Cosine)
    shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=vector))

    def take(part: Sequence[NewCase]) -> None:
        points = [edge.Point(_uuid(case), case.embedding.tolist(), _payload(case)) for case in part]
        shard.update(edge.UpdateOperation.upsert_points(points))
        shard.flush()  # without it nothing is on the disk

    return take, shard.close


PEERS = {
    "LanceDB": _lancedb,
    "LanceDB, its files synced": _lancedb_synced,
    "Qdrant Edge": _qdrant_edge,
}


def _uuid(case: NewCase) -> str:
    h = case.film_sha256
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:32]}"


def _payload(case: NewCase) -> dict[str, str | list[str]]:
    return {"report": case.report, "labels": list(case.labels), "source": case.source}
