"""May the backbone be trusted with this film at all?

First version: how far the film lies from the films that the backbone was made with, as a
Mahalanobis distance in the space of its own features (Lee et al. 2018, "A simple unified
framework for detecting out-of-distribution samples"). The reference ships with the backbone
and never changes with the library: a film does not become readable by being filed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from assistant.types import Gate


def distance_to(reference: Mapping[str, np.ndarray], profile: np.ndarray) -> float:
    """Distance of a profile (P,) from the reference films, in standard deviations a dimension.

    `reference` holds `pool_mean` and `pool_scale` (P,), `components` (K, P) and `spread` (K,),
    the principal directions of the reference films and how far they spread along each, and
    `rest`, their mean squared length outside of them.
    """
    z = (profile - reference["pool_mean"]) / reference["pool_scale"]
    along = reference["components"] @ z
    inside = float(((along / reference["spread"]) ** 2).mean())
    outside = float(((z - reference["components"].T @ along) ** 2).mean() / reference["rest"][0])
    return float(np.sqrt((inside + outside) / 2))


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
    _, singular, axes = np.linalg.svd(z, full_matrices=False)
    components = axes[:keep]
    rest = ((z - z @ components.T @ components) ** 2).mean()
    reference = {
        "pool_mean": mean.astype(np.float32),
        "pool_scale": scale.astype(np.float32),
        "components": components.astype(np.float32),
        "spread": (singular[:keep] / np.sqrt(len(z))).astype(np.float32),
        "rest": np.array([rest], np.float32),
    }
    distances = [distance_to(reference, profile) for profile in held_out]
    reference["limit"] = np.array([np.quantile(distances, 0.99)], np.float32)
    return reference
