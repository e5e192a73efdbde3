"""How far one set of films lies from another: KID, and the floor that chance alone reaches."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from assistant import Assistant
from assistant.iterables import batched
from assistant.types import Film

FEWEST = 8  # films of a set, below which the estimate says nothing
SUBSETS = 50
SPLITS = 40
# Of the splits of real films into two sets, the share that lies below the floor.
FLOOR_AT = 0.95


def features_of(assistant: Assistant, films: list[Film]) -> np.ndarray:
    """The features of films by the backbone's encoder, float32 (N, P), of about unit spread."""
    reference = assistant.backbone.reference
    rows = [code.profile for block in batched(films) for code in assistant.backbone.encode(block)]
    return (np.stack(rows) - reference["pool_mean"]) / reference["pool_scale"]


def kid(real: np.ndarray, generated: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """KID of two sets of features (N, P) and its standard error, by torchmetrics.

    It is the mean over subsets of half of the films, whose spread is then the standard error of
    the delete-half jackknife (Shao and Wu 1989). KID is unbiased, so that it may be below zero
    (Binkowski et al. 2018, "Demystifying MMD GANs").
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    half = min(len(real), len(generated)) // 2
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # of the memory that features take
        torch.manual_seed(seed)
        metric = KernelInceptionDistance(torch.nn.Identity(), SUBSETS, half)
        metric.update(torch.from_numpy(real).float(), real=True)
        metric.update(torch.from_numpy(generated).float(), real=False)
        mean, spread = metric.compute()
    return float(mean), float(spread)


def estimate_floor(real: np.ndarray, size: int, seed: int = 0) -> np.ndarray:
    """KID between two random sets of `size` out of the same real films (N, P), sorted, (SPLITS,).

    It is what two sets from one source reach by chance.
    """
    rng = np.random.default_rng(seed)
    values = []
    for split in range(SPLITS):
        order = rng.permutation(len(real))
        values.append(kid(real[order[:size]], real[order[size : 2 * size]], split)[0])
    return np.sort(values)
