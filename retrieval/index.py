"""Nearest vectors by FAISS: exact while they are few, a trained index when they are many.

Knows int64 numbers and unit vectors; it knows no case, no database and no file. Only this
module imports FAISS, which comes as faiss-cpu or faiss-gpu under the same name.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from retrieval.errors import LibraryError

try:
    faiss: Any = importlib.import_module("faiss")  # it ships no types
except ImportError as _error:
    raise LibraryError(
        "The library needs FAISS, which is not installed: pip install 'wetread[cpu]' "
        "(or 'wetread[gpu]')."
    ) from _error

# Measured on vectors that the training did not see; above the 0.95 that is promised, since
# a film from outside may lie less well than one of the library's own.
_RECALL = 0.98
_QUERIES = 256
_PER_CELL = 39  # FAISS asks for at least as many training vectors a cell
_SAMPLE_PER_CELL = 64


def cells_for(count: int) -> int:
    """How many cells a trained index of `count` vectors has: about 4 √n."""
    return max(1, min(int(4 * math.sqrt(count)), count // _PER_CELL))


class Index:
    """Vectors by number; `put` and `drop` change it, `nearest` searches it by inner product."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @classmethod
    def exact(cls, dim: int) -> Index:
        """An empty index that compares a query with every vector."""
        return cls(faiss.IndexIDMap2(faiss.IndexFlatIP(dim)))

    @classmethod
    def trained(cls, sample: np.ndarray, count: int) -> Index:
        """An empty index that looks into a share of its cells, learnt from unit vectors (N, D)."""
        dim = sample.shape[1]
        quantiser = faiss.IndexFlatIP(dim)
        inner = faiss.IndexIVFFlat(quantiser, dim, cells_for(count), faiss.METRIC_INNER_PRODUCT)
        inner.cp.min_points_per_centroid = 1  # how many there are is decided here, not warned of
        inner.train(np.ascontiguousarray(sample, dtype=np.float32))
        return cls(inner)

    @classmethod
    def from_bytes(cls, data: bytes) -> Index:
        """Read `to_bytes` back; only for bytes whose checksum agrees, FAISS trusts them."""
        return cls(faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8)))

    def to_bytes(self) -> bytes:
        """The whole index as FAISS writes it."""
        return faiss.serialize_index(self._inner).tobytes()

    @property
    def is_trained(self) -> bool:
        """True for the trained kind, False for the exact one."""
        return hasattr(self._inner, "nprobe")

    @property
    def dim(self) -> int:
        """Numbers a vector."""
        return int(self._inner.d)

    def __len__(self) -> int:
        return int(self._inner.ntotal)

    def put(self, numbers: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors, float32 (N, D) of length 1, under numbers that are not in it."""
        if len(numbers):
            self._inner.add_with_ids(
                np.ascontiguousarray(vectors, dtype=np.float32),
                np.ascontiguousarray(numbers, dtype=np.int64),
            )

    def drop(self, numbers: np.ndarray) -> None:
        """Take these numbers out; those that are not in it do not matter."""
        if len(numbers):
            self._inner.remove_ids(_selector(numbers))

    def tune(self, queries: np.ndarray) -> None:
        """Let a trained index look into as many cells as a recall@10 of 0.98 takes.

        The queries are float32 (N, D), best not among those it was trained on.
        """
        cells = int(self._inner.nlist)
        count = min(11, len(self))
        if not self.is_trained or not len(queries) or count < 2:
            return
        truth, _ = self._inner.search(
            queries, count, params=faiss.SearchParametersIVF(nprobe=cells)
        )
        probe = 1
        while probe < cells:
            found, _ = self._inner.search(
                queries, count, params=faiss.SearchParametersIVF(nprobe=probe)
            )
            # By similarity, not by number, so that ties do not count as misses; and without
            # the query itself, which any index finds.
            right = (found >= truth[:, -1:] - 1e-6).sum(axis=1) - 1
            if right.mean() / (count - 1) >= _RECALL:
                break
            probe = min(cells, probe * 2)
        self._inner.nprobe = probe

    def nearest(
        self,
        query: np.ndarray,
        count: int,
        *,
        only: np.ndarray | None = None,
        never: np.ndarray | None = None,
        exhaustive_below: int = 0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest numbers and their inner products, falling: int64 (N,), float32 (N,).

        `query` is float32 (D,) of length 1. N is `count`, or less where `only` (numbers in the
        index, else all) without `never` has fewer. A trained index looks into all its cells
        where no more than `exhaustive_below` are eligible, and more of them the fewer are.
        """
        selector = None
        eligible = len(self)
        if only is not None:
            only = only if never is None else np.setdiff1d(only, never)
            selector, eligible = _selector(only), len(only)
        elif never is not None and len(never):
            selector, eligible = faiss.IDSelectorNot(_selector(never)), eligible - len(never)
        count = min(count, eligible)
        if count <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if not self.is_trained:
            return self._search(query, count, faiss.SearchParameters(sel=selector))
        cells = int(self._inner.nlist)
        share = len(self) / eligible
        probe = min(cells, math.ceil(int(self._inner.nprobe) * share))
        if eligible <= exhaustive_below:
            probe = cells
        found = self._search(query, count, faiss.SearchParametersIVF(sel=selector, nprobe=probe))
        if len(found[0]) < count:
            params = faiss.SearchParametersIVF(sel=selector, nprobe=cells)
            found = self._search(query, count, params)
        return found

    def _search(self, query: np.ndarray, count: int, params: Any) -> tuple[np.ndarray, np.ndarray]:
        scores, numbers = self._inner.search(query[None, :], count, params=params)
        real = numbers[0] >= 0
        return numbers[0][real], scores[0][real]


def training_split(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of `count` vectors train an index and which tune it: two int64 arrays, no overlap."""
    order = np.random.default_rng(0).permutation(count)
    queries = min(_QUERIES, count // 4)
    most = cells_for(count) * _SAMPLE_PER_CELL
    return np.sort(order[queries : queries + most]), np.sort(order[:queries])


def _selector(numbers: np.ndarray) -> Any:
    return faiss.IDSelectorBatch(np.ascontiguousarray(numbers, dtype=np.int64))
