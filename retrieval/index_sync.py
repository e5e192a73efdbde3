"""Keeps the FAISS index in step with the database, and a snapshot of it on the disk.

The index is derived: whatever is wrong with it or its snapshot, it is made again from the
database. A snapshot is two files, `<hash>.faiss` and `current.json`, which names the first by
its hash and is renamed into place last, so the pair changes at one moment.
"""

from __future__ import annotations

import hashlib
import logging
import math
import sqlite3
from pathlib import Path

import numpy as np

from retrieval.checks import unit32
from retrieval.files import PRIVATE_FOLDER, write_beside
from retrieval.index import LEAST, ExactVectors, Index, training_split
from retrieval.snapshot import CARD, read_card, sealed_card
from retrieval.store import Store
from retrieval.types import Hit, IndexKind

log = logging.getLogger(__name__)

_FORMAT = 2
_BATCH = 4096  # vectors read at a time
_BLOCK = 64  # vectors ranked at a time
_SPARE = 8  # candidates beyond k, to rank again in double precision
_ROUNDING = 1e-5  # float32 in FAISS against float64 here, with room
_SAVE_AFTER = 2000  # changes taken in before the snapshot is written without waiting for close


class IndexSync:
    """The index of one store. All but `save` are to be called inside `store.reading()`."""

    def __init__(self, store: Store, folder: Path, exact_limit: int) -> None:
        self._store = store
        self._folder = folder
        self._exact_limit = max(exact_limit, LEAST)  # fewer cannot be trained on
        self.index = Index.exact(store.dim)
        self.watermark = 0
        self._token = ""
        self._trained_on = 0  # vectors when the trained index was made
        self._unsaved = 0  # changes taken in since the snapshot

    @property
    def kind(self) -> IndexKind:
        """Whether the index compares a query with every vector or with a share of them."""
        return "trained" if self.index.is_trained else "exact"

    @property
    def save_is_due(self) -> bool:
        """Whether enough has changed to write the snapshot now."""
        return self._unsaved >= _SAVE_AFTER

    def open(self) -> None:
        """Load the snapshot and catch up, or rebuild where it is missing, damaged or foreign."""
        self._store.trust_log()
        why = self._load()
        if not why:
            self.catch_up()
            total = self._store.count_vectors()
            if len(self.index) != total:
                self._store.check()  # one of the two is damaged
                why = "differs from the database in number"
            elif self._wrong_kind(total):
                why = "was made for another size"
        if why:
            log.info("building the index from the database: the snapshot %s", why)
            self.rebuild()

    def catch_up(self) -> None:
        """Take in what changed since the watermark; one cheap query where nothing did."""
        seq, token = self._store.watermark()
        if seq == self.watermark:
            return
        changed = self._store.changed_since(self.watermark)
        total = self._store.count_vectors()
        if self._wrong_kind(total) or 2 * len(changed) > total:
            self.rebuild()
            return
        self.index.drop(changed)
        self._put(self.index, changed)
        self._unsaved += seq - self.watermark
        self.watermark, self._token = seq, token

    def rebuild(self) -> None:
        """Make the index anew from the database, of the kind that its size asks for."""
        self._store.trust_vectors()
        mark = self._store.watermark()
        numbers = self._store.vector_numbers()
        if many := len(numbers) > self._exact_limit:
            index = self._trained(numbers)
        else:
            index = Index.exact(self._store.dim)
            self._put(index, numbers)
        # Only now, all at once: were it cut short above, the old index would still be whole.
        self.index, (self.watermark, self._token) = index, mark
        self._trained_on = len(numbers) if many else 0
        self._unsaved = max(1, len(numbers))

    def _trained(self, numbers: np.ndarray) -> Index:
        learn, ask = training_split(len(numbers))
        index = Index.trained(unit32(self._store.vectors(numbers[learn])[1]), len(numbers))
        found, queries = self._store.vectors(numbers[ask])
        queries = unit32(queries)
        truth = ExactVectors(queries, np.array(found, dtype=np.int64))
        self._put(index, numbers, truth)
        index.tune(queries, truth.nearest())
        return index

    def ranked(
        self, query: np.ndarray, k: int, only: np.ndarray | None, never: np.ndarray | None
    ) -> list[Hit]:
        """The best k, ranked in double precision from the database.

        FAISS proposes, in float32 and with ties in any order; an exact index is asked for more
        until its last proposal is clearly worse than the k-th, so ties cannot be cut off by
        chance. A trained one knows its scores only roughly and is asked once, for many more.
        """
        trained = self.index.is_trained
        count = self.index.depth * max(1, math.ceil(k / 10)) if trained else k + _SPARE
        while True:
            numbers, scores = self.index.nearest(
                query, count, only=only, never=never, exhaustive_below=self._exact_limit
            )
            found, vectors = self._store.vectors(numbers)
            if len(found) != len(numbers):
                raise sqlite3.DatabaseError("a vector is missing")
            similarities = _cosines(vectors, query)
            least = np.sort(similarities)[-k:].min(initial=2.0)
            near = np.flatnonzero(similarities >= least).tolist()
            if trained or len(numbers) < count or scores[-1] < least - _ROUNDING:
                cases = self._store.cases([found[i] for i in near])
                best = [Hit(cases[found[i]], float(similarities[i])) for i in near]
                return sorted(best, key=lambda hit: (-hit.similarity, hit.case.id))[:k]
            count *= 4

    def save(self) -> None:
        """Write the snapshot where the index has moved on from it; takes the write lock."""
        if not self._unsaved or not self._store.writable:
            return
        # Under the write lock two processes cannot sweep away each other's half-written pair.
        with self._store.writing():
            self._folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            data = self.index.to_bytes()
            name = hashlib.sha256(data).hexdigest()
            card = {
                "format": _FORMAT,
                "encoder": self._store.encoder,
                "dim": self._store.dim,
                "watermark": self.watermark,
                "token": self._token,
                "trained_on": self._trained_on,
                "depth": self.index.depth,
                "index": name,
            }
            write_beside(self._folder / f"{name}.faiss", data)
            write_beside(self._folder / CARD, sealed_card(card))
            for stray in self._folder.iterdir():
                if stray.name not in (CARD, f"{name}.faiss"):
                    stray.unlink(missing_ok=True)
        self._unsaved = 0

    def _wrong_kind(self, total: int) -> bool:
        if not self.index.is_trained:
            return total > self._exact_limit
        # Trained again at twice the size; exact again well below the limit, so that a library
        # about its size does not go to and fro.
        return total > 2 * self._trained_on or 2 * total < self._exact_limit

    def _put(self, index: Index, numbers: np.ndarray, truth: ExactVectors | None = None) -> None:
        for start in range(0, len(numbers), _BATCH):
            found, vectors = self._store.vectors(numbers[start : start + _BATCH])
            there, ready = np.array(found, dtype=np.int64), unit32(vectors)
            index.put(there, ready)
            if truth is not None:
                truth.see(there, ready)

    def _load(self) -> str:
        """Take the snapshot in; returns "" or why it cannot be used."""
        try:
            card = read_card((self._folder / CARD).read_bytes())
            if card is None or card["format"] != _FORMAT:
                return "is damaged or of another format"
            if (card["encoder"], card["dim"]) != (self._store.encoder, self._store.dim):
                return "was made by another encoder"
            if self._store.token(card["watermark"]) != card["token"]:
                return "belongs to another history of the database"
            data = (self._folder / f"{card['index']}.faiss").read_bytes()
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        # FAISS reads what it is given without much doubt, so damage is caught before it does.
        if hashlib.sha256(data).hexdigest() != card["index"]:
            return "is damaged"
        self.index = Index.from_bytes(data, card["dim"], card["depth"])
        self.watermark, self._token = card["watermark"], card["token"]
        self._trained_on = card["trained_on"]
        return ""


def _cosines(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """The cosines of vectors, float32 (N, D), to a unit query (D,): float64 (N,), six decimals."""
    cosines = np.empty(len(vectors))
    wide_query = query.astype(np.float64)
    # In blocks: the pages of a wide copy of them all would cost as much as the search. And row by
    # row, not as one product: BLAS may round a row otherwise in other company.
    for start in range(0, len(vectors), _BLOCK):
        wide = vectors[start : start + _BLOCK].astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        cosines[start : start + _BLOCK] = np.einsum("ij,j->i", wide, wide_query) / lengths
    return np.clip(cosines.round(6), -1.0, 1.0) + 0.0
