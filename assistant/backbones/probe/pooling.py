"""Pools patch features to one vector a film.

The mean describes a film as a whole and the maximum preserves what is small; both are taken over
the right and the left half separately, so that a lesion's side counts for similarity.
"""

from __future__ import annotations

import numpy as np


def pool_patches(hidden: np.ndarray) -> np.ndarray:
    """Pool patch features (B, N, W), N a square grid in rows, to float32 (B, 4 W)."""
    batch, patches, width = hidden.shape
    edge = round(patches**0.5)
    grid = hidden.reshape(batch, edge, edge, width)
    halves = (grid[:, :, : edge // 2], grid[:, :, edge // 2 :])
    parts = [half.mean(axis=(1, 2)) for half in halves] + [half.max(axis=(1, 2)) for half in halves]
    return np.concatenate(parts, axis=1).astype(np.float32)
