"""May the backbone be trusted with this film at all?

First version: how much of the film's features the films that the backbone was made with cannot
explain, which is the residual outside their principal subspace (Wang et al. 2022, "ViM:
out-of-distribution with virtual-logit matching"). The reference ships with the backbone and
never changes with the library: a film does not become readable by being filed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from assistant.types import Gate


def distance_to(reference: Mapping[str, np.ndarray], profile: np.ndarray) -> float:
    """How far a profile (P,) lies from the reference films; 1 is what is usual among them.

    `reference` holds `pool_mean` and `pool_scale` (P,), `components` (K, P), the principal
    directions of the reference films, and `rest`, their mean squared residual outside them.
    """
    z = (profile - reference["pool_mean"]) / reference["pool_scale"]
    residual = z - reference["components"].T @ (reference["components"] @ z)
    return float(np.sqrt((residual**2).mean() / reference["rest"][0]))


def judge_film(reference: Mapping[str, np.ndarray], profile: np.ndarray, knows: str) -> Gate:
    """Say whether a film lies within what the backbone `knows` (in words)."""
    distance, limit = distance_to(reference, profile), float(reference["limit"][0])
    if distance <= limit:
        reason = f"The film lies within what the backbone knows: {knows}."
        return Gate("pass", reason, round(distance, 4), round(limit, 4))
    reason = (
        f"This film lies outside what the backbone knows ({knows}); "
        "do not rely on any sentence of the draft."
    )
    return Gate("warn", reason, round(distance, 4), round(limit, 4))


def fit_reference(
    profiles: np.ndarray, held_out: np.ndarray, keep: int = 64
) -> dict[str, np.ndarray]:
    """Learn the reference from profiles (N, P), and the limit from others (M, P).

    The limit is the 99th percentile of the held-out films' distances, so that about one
    film in a hundred of the known kind is warned of in vain.
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
