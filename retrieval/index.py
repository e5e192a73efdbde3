"""Nearest vectors by FAISS: exact while they are few, a trained index when they are many.

The trained one holds 4 bits for two numbers of a vector, in cells (IVF, product quantisation,
FastScan), so a million vectors of 512 take 0.14 GB and a search reads a few percent of that. It
proposes `depth` vectors for ten, and who asks ranks them by the vectors themselves.

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
_RECALL = 0.97
_AMONG = 10  # the recall that is tuned is that of the nearest ten
_QUERIES = 256
_DEPTHS = (50, 100, 200, 400)  # candidates for ten
_FETCH = 400  # codes that are looked through in the time that one candidate takes to be fetched
_PER_CELL = 39  # FAISS asks for at least as many training vectors a cell
LEAST = 20  # vectors; with more an index can be trained: on 16 at least, beside those that tune it
_TOGETHER = 2  # numbers of a vector that share a code of 4 bits
_BLOCK = 32  # vectors whose codes FastScan keeps interleaved


def cells_for(count: int) -> int:
    """How many cells a trained index of `count` vectors has: about 2 √n."""
    return max(1, min(int(2 * math.sqrt(count)), count // _PER_CELL))


class Index:
    """Vectors by number; `put` and `drop` change it, `nearest` searches it by inner product."""

    def __init__(self, inner: Any, dim: int, depth: int = 0) -> None:
        self._inner = inner
        self.dim = dim  # numbers a vector
        self.depth = depth  # candidates that a trained index proposes for ten

    @classmethod
    def exact(cls, dim: int) -> Index:
        """An empty index that compares a query with every vector."""
        return cls(faiss.IndexIDMap2(faiss.IndexFlatIP(dim)), dim)

    @classmethod
    def trained(cls, sample: np.ndarray, count: int) -> Index:
        """An empty index that looks into a share of its cells, learnt from unit vectors (N, D)."""
        wide = _padded(sample)
        codes = wide.shape[1] // _TOGETHER
        quantiser = faiss.IndexFlatIP(wide.shape[1])
        inner = faiss.IndexIVFPQFastScan(
            quantiser, wide.shape[1], cells_for(count), codes, 4, faiss.METRIC_INNER_PRODUCT, _BLOCK
        )
        # How many there are is decided here, not warned of.
        inner.cp.min_points_per_centroid = inner.pq.cp.min_points_per_centroid = 1
        # A code of 4 bits has 16 values, and FAISS wants a vector for each: the few are repeated.
        inner.train(np.resize(wide, (max(16, len(wide)), wide.shape[1])))
        return cls(inner, sample.shape[1], _DEPTHS[-1])

    @classmethod
    def from_bytes(cls, data: bytes, dim: int, depth: int) -> Index:
        """Read `to_bytes` back; only for bytes whose checksum agrees, FAISS trusts them."""
        return cls(faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8)), dim, depth)

    def to_bytes(self) -> bytes:
        """The whole index as FAISS writes it."""
        return faiss.serialize_index(self._inner).tobytes()

    @property
    def is_trained(self) -> bool:
        """True for the trained kind, False for the exact one."""
        return hasattr(self._inner, "nprobe")

    def __len__(self) -> int:
        return int(self._inner.ntotal)

    def put(self, numbers: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors, float32 (N, D) of length 1, under numbers that are not in it."""
        if len(numbers):
            self._inner.add_with_ids(
                _padded(vectors) if self.is_trained else np.ascontiguousarray(vectors, np.float32),
                np.ascontiguousarray(numbers, dtype=np.int64),
            )

    def drop(self, numbers: np.ndarray) -> None:
        """Take these numbers out; those that are not in it do not matter."""
        if not len(numbers):
            return
        before = self._sizes()
        self._inner.remove_ids(_selector(numbers))
        for cell in np.flatnonzero(self._sizes() != before).tolist():
            self._lay_last_block_anew(cell)

    def _sizes(self) -> np.ndarray:
        lists = self._inner.invlists if self.is_trained else None
        return np.array([lists.list_size(i) for i in range(lists.nlist)] if lists else [])

    def _lay_last_block_anew(self, cell: int) -> None:
        # FAISS 1.15 leaves the codes of what was removed in a cell's last block, and mixes them
        # (by a bitwise or) into those that are added there next, which then are not found.
        lists = faiss.downcast_InvertedLists(self._inner.invlists)
        packer, size = lists.packer, lists.list_size(cell)
        full, rest = divmod(size, _BLOCK)
        if rest:
            codes = faiss.rev_swig_ptr(lists.get_codes(cell), (full + 1) * packer.block_size)
            block = codes[full * packer.block_size :].reshape(1, packer.block_size)
            kept = [packer.unpack_1(block, at) for at in range(rest)]
            block[:] = 0
            for at, code in enumerate(kept):
                packer.pack_1(code, at, block)

    def tune(self, queries: np.ndarray, truth: np.ndarray) -> None:
        """Let a trained index propose and look into as much as a recall@10 of 0.97 takes.

        `queries` are float32 (N, D), best not among those it was trained on; `truth` are the
        numbers truly nearest to each, int64 (N, at most 10). Of the ways to get there the
        cheapest is taken: more cells with fewer candidates, or the reverse.
        """
        if not self.is_trained or not truth.size:
            return
        cells = int(self._inner.nlist)
        a_cell = len(self) / cells
        tried: list[tuple[float, float, int, int]] = []  # recall, cost, probe, depth
        probe, enough = 1, math.inf
        while True:
            for depth, recall in zip(_DEPTHS, self._recalls(queries, truth, probe), strict=True):
                tried.append((recall, probe * a_cell + depth * _FETCH, probe, depth))
            enough = min((cost for recall, cost, *_ in tried if recall >= _RECALL), default=enough)
            if probe == cells or probe * a_cell > enough:
                break
            probe = min(cells, math.ceil(1.25 * probe))
        # Where even all cells do not give that much (many equal vectors), nearly what they give.
        aim = _RECALL if enough < math.inf else 0.99 * max(tried)[0]
        *_, self._inner.nprobe, self.depth = min(way[1:] for way in tried if way[0] >= aim)

    def _recalls(self, queries: np.ndarray, truth: np.ndarray, probe: int) -> list[float]:
        """The share of the true ones that is proposed, for each of `_DEPTHS`."""
        params = faiss.SearchParametersIVF(nprobe=probe)
        most = min(_DEPTHS[-1], len(self))
        _, found = self._inner.search(_padded(queries), most, params=params)
        hits = np.stack([np.isin(a, b) for a, b in zip(found, truth, strict=True)])
        return [float(hits[:, :depth].sum()) / truth.size for depth in _DEPTHS]

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

        `query` is float32 (D,) of length 1. N is `count`, or less where `only` (else all) without
        `never` has fewer; numbers that are not in the index do not matter. A trained index gives
        the products roughly, and looks into all its cells where no more than `exhaustive_below`
        are eligible, and into more of them the fewer are.
        """
        selector = None
        eligible = len(self)
        if only is not None:
            only = only if never is None else np.setdiff1d(only, never)
            selector, eligible = _selector(only), min(len(only), eligible)
        elif never is not None and len(never):
            selector = faiss.IDSelectorNot(_selector(never))
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
        rows = _padded(query[None, :]) if self.is_trained else query[None, :]
        scores, numbers = self._inner.search(rows, count, params=params)
        real = numbers[0] >= 0
        return numbers[0][real], scores[0][real]


class ExactVectors:
    """The vectors truly nearest to some queries among all that pass by, by inner product."""

    def __init__(self, queries: np.ndarray, numbers: np.ndarray) -> None:
        self._queries = queries
        self._own = numbers  # of the queries, which do not count as near to themselves
        self._heap = faiss.ResultHeap(len(queries), _AMONG + 1, keep_max=True)

    def see(self, numbers: np.ndarray, vectors: np.ndarray) -> None:
        """Take in vectors, float32 (N, D), with their numbers."""
        scores = self._queries @ vectors.T
        self._heap.add_result(scores, np.broadcast_to(numbers, scores.shape).copy())

    def nearest(self) -> np.ndarray:
        """Numbers, int64 (queries, at most 10), without each query's own."""
        self._heap.finalize()
        rows = [
            row[(row != own) & (row >= 0)] for row, own in zip(self._heap.I, self._own, strict=True)
        ]
        count = min(_AMONG, min(map(len, rows)))
        return np.array([row[:count] for row in rows])


def training_split(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of `count` vectors train an index and which tune it: two int64 arrays, no overlap."""
    order = np.random.default_rng(0).permutation(count)
    queries = min(_QUERIES, count // 4)
    most = cells_for(count) * _PER_CELL
    return np.sort(order[queries : queries + most]), np.sort(order[:queries])


def _padded(vectors: np.ndarray) -> np.ndarray:
    """Float32 (N, D) with zeros to a whole number of codes."""
    missing = -vectors.shape[1] % _TOGETHER
    return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, missing))), dtype=np.float32)


def _selector(numbers: np.ndarray) -> Any:
    return faiss.IDSelectorBatch(np.ascontiguousarray(numbers, dtype=np.int64))
