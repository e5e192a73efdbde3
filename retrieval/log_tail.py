"""Finds commits in SQLite's write-ahead log that can no longer be read.

SQLite reads its log up to the first frame whose checksum does not fit, and takes what follows for
the rest of an older log. So one flipped bit makes acknowledged commits vanish without an error. The
format is described at https://www.sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

_HEADER = 32  # bytes of the log's header
_FRAME = 24  # bytes of a frame's header
_MAGIC = 0x377F0682  # the last bit says in which order of bytes the checksums were taken
_MOST_AT_ONCE = 1024  # frames


def lost_commits(log: Path) -> str:
    """What a damaged log has lost, in words; empty where SQLite reads all that was committed.

    A frame that was cut short, or was never followed by its commit, was never acknowledged and is
    no damage.
    """
    data = np.fromfile(log, dtype=np.uint8)
    if len(data) <= _HEADER:
        return ""
    words = data[:_HEADER].view(">u4").astype(np.uint64)
    magic, _, size = (int(word) for word in words[:3])
    order = ">u4" if magic & 1 else "<u4"
    state = _summed(np.zeros(2, np.uint32), data[None, : _HEADER - 8].view(order))[0]
    if magic | 1 != _MAGIC | 1 or (state != words[6:8].astype(np.uint32)).any():
        return "all that it holds"
    salts = words[4:6].astype(np.uint32)
    frames = data[_HEADER:][: (len(data) - _HEADER) // (_FRAME + size) * (_FRAME + size)]
    frames = frames.reshape(-1, _FRAME + size)
    heads = np.ascontiguousarray(frames[:, :_FRAME]).view(">u4")
    good = _count_good(frames, heads, salts, state, order)
    # A frame of an older log shares neither salt with this one.
    ours = (heads[good:, 2:4] == salts).any(axis=1)
    commits = int((ours & (heads[good:, 1] != 0)).sum())
    return f"at least {commits} of its commits" if commits else ""


def _count_good(
    frames: np.ndarray, heads: np.ndarray, salts: np.ndarray, state: np.ndarray, order: str
) -> int:
    """How many frames from the first on have the log's salts and the right checksum."""
    for start in range(0, len(frames), _MOST_AT_ONCE):
        part = frames[start : start + _MOST_AT_ONCE]
        summed = np.ascontiguousarray(np.hstack([part[:, :8], part[:, _FRAME:]])).view(order)
        states = _summed(state, summed)
        head = heads[start : start + _MOST_AT_ONCE]
        fits = (head[:, 2:4] == salts).all(axis=1) & (head[:, 4:6] == states).all(axis=1)
        if not fits.all():
            return start + int(np.argmin(fits))
        state = states[-1]
    return len(frames)


def _summed(state: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """SQLite's running checksum after each row of words: uint32 (rows, 2).

    Each step is linear, modulo 2^32: (s0, s1) becomes (s0 + a + s1, s1 + b + s0'). So a row adds
    the sum of its pairs (a, b), each times the power of the step that is still to come.
    """
    pairs = rows.astype(np.uint32).reshape(len(rows), -1, 2)
    step = np.array([[1, 1], [1, 2]], np.uint32)
    weights = np.empty((pairs.shape[1], 2, 2), np.uint32)
    power = np.eye(2, dtype=np.uint32)
    taken = np.array([[1, 0], [1, 1]], np.uint32)
    for at in range(pairs.shape[1] - 1, -1, -1):
        weights[at] = power @ taken
        power = power @ step
    added = np.einsum("kij,rkj->ri", weights, pairs)
    states = np.empty((len(rows), 2), np.uint32)
    for at, more in enumerate(added):
        state = (power @ state + more).astype(np.uint32)
        states[at] = state
    return states
