"""The pixel tier: how similar is a film to its copy? It knows arrays, no files and no models.

It gives three numbers for a pair, and a map of where the two differ. Films are float32 (H, W) in
[0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assistant.errors import SettingsError
from assistant.intake.resize import square
from evals.results import FigureTable, PartResult

PSNR, SSIM, MS_SSIM = "PSNR, dB", "SSIM", "MS-SSIM"
MOST_DB = 100.0  # PSNR of a pair without any difference, which has no bound
KERNEL = 11  # pixels of the window of SSIM
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the five scales, the finest first


@dataclass(frozen=True, slots=True)
class PixelScores:
    """How similar two films are."""

    psnr: float  # dB, at most 100
    ssim: float  # in [-1, 1]
    ms_ssim: float | None  # in [0, 1]; None for films that have room for one scale only
    scales: int  # of MS-SSIM, 1 to 5


def pixel_scores(film: np.ndarray, generated: np.ndarray) -> PixelScores:
    """PSNR, SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003) of two films, by torchmetrics.

    MS-SSIM takes as many of the paper's five scales as the films have room for, with their
    weights made to sum to 1: all five from 176 pixels on, four at 128. Raises SettingsError for
    films of different shape, or of fewer than 11 pixels a side.
    """
    import torch
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure,
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    _check_shapes(film, generated)
    a, b = (torch.from_numpy(np.array(p, np.float32))[None, None] for p in (generated, film))
    psnr = float(peak_signal_noise_ratio(a, b, data_range=1.0))
    ssim = structural_similarity_index_measure(a, b, data_range=1.0)
    scales, ms_ssim = scales_for(film.shape), None
    if scales > 1:
        total = sum(WEIGHTS[:scales])
        betas = tuple(weight / total for weight in WEIGHTS[:scales])
        ms_ssim = float(
            multiscale_structural_similarity_index_measure(
                a, b, data_range=1.0, kernel_size=KERNEL, betas=betas
            )
        )
    return PixelScores(min(psnr, MOST_DB), float(torch.as_tensor(ssim)), ms_ssim, scales)


def _check_shapes(film: np.ndarray, generated: np.ndarray) -> None:
    if film.shape != generated.shape:
        raise SettingsError(
            f"A film of {film.shape} pixels cannot be compared with one of {generated.shape}, "
            "pixel by pixel; give both one size."
        )
    if min(film.shape) < KERNEL:
        raise SettingsError(
            f"A film of {film.shape} pixels is too small to compare; give {KERNEL} or more a side."
        )


def scales_for(shape: tuple[int, ...]) -> int:
    """How many of the five scales of MS-SSIM a film has room for, 1 to 5."""
    # At the coarsest scale the window must still fit; the square is torchmetrics' own bound.
    room = [n for n in (5, 4, 3, 2) if min(shape) >= KERNEL * max(2 ** (n - 1), (n - 1) ** 2)]
    return room[0] if room else 1


def error_map(film: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Where two films of one shape differ: |film - generated|, float32 (H, W) in [0, 1]."""
    _check_shapes(film, generated)
    return np.abs(np.asarray(film, np.float32) - np.asarray(generated, np.float32))


def fit_to(film: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two films in one shape: as they are, or both fitted into the smaller one's square."""
    if film.shape == generated.shape:
        return film, generated
    size = min(max(film.shape), max(generated.shape))
    return square(film, size), square(generated, size)


def measure(
    pairs: Sequence[PixelScores], patients: Sequence[str], *, name: str, unscored: int = 0
) -> PartResult:
    """The means over pairs, with intervals by patient; each figure's name begins with `name`.

    `unscored` counts pairs of which one film could not be read.
    """
    tally = FigureTable()
    for key, values in {
        PSNR: [p.psnr for p in pairs],
        SSIM: [p.ssim for p in pairs],
        MS_SSIM: [p.ms_ssim for p in pairs],
    }.items():
        scored = [
            (v, patient) for v, patient in zip(values, patients, strict=True) if v is not None
        ]
        tally.add(
            f"{name}, {key}",
            np.array([[value, 1] for value, _ in scored], float).reshape(-1, 2),
            [patient for _, patient in scored],
            "mean",
            unscored=unscored + len(pairs) - len(scored),
        )
    return PartResult(tally.figures, (), _note_limits(pairs, name), counts=tally.counts)


def _note_limits(pairs: Sequence[PixelScores], name: str) -> dict[str, str]:
    notes: dict[str, str] = {}
    if any(p.psnr == MOST_DB for p in pairs):
        notes[f"{name}, {PSNR}"] = f"a pair without any difference counts as {MOST_DB:.0f} dB"
    if fewer := sorted({p.scales for p in pairs} - {len(WEIGHTS)}):
        scales = " or ".join(str(n) for n in fewer)
        notes[f"{name}, {MS_SSIM}"] = (
            f"over {scales} of the five scales, for which alone films of this size have room, "
            "their weights made to sum to 1; a film with one scale is unscored"
        )
    return notes
