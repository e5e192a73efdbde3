"""Fits the gate's reference: the subspace of the films that a backbone was trained on."""

from __future__ import annotations

import numpy as np

from assistant.gate import distance_to


def fit_reference(
    profiles: np.ndarray, held_out: np.ndarray, keep: int = 64
) -> dict[str, np.ndarray]:
    """Fit the reference on profiles (N, P), and its limit on held-out ones (M, P).

    The limit is the 99th percentile of the held-out films' distances, so that about one in a
    hundred films of the known kind gets a false warning.
    """
    mean, scale = profiles.mean(axis=0), profiles.std(axis=0) + 1e-4
    z = (profiles - mean) / scale
    _, _, axes = np.linalg.svd(z, full_matrices=False)
    components = axes[:keep]
    rest = ((z - z @ components.T @ components) ** 2).mean()
    reference = {
        "pool_mean": mean.astype(np.float32),
        "pool_scale": scale.astype(np.float32),
        "components": components.astype(np.float32),
        "rest": np.array([rest], np.float32),
    }
    distances = [distance_to(reference, profile) for profile in held_out]
    reference["limit"] = np.array([np.quantile(distances, 0.99)], np.float32)
    return reference
