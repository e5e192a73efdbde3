"""What the picture tokeniser keeps of a film: its pixels, and its smallest nodules."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from assistant import Assistant
from assistant.chest.phantoms import SPLITS, Phantom
from assistant.chest.phantoms.film import site_named
from assistant.chest.phantoms.pathology import draw_pathology
from assistant.chest.vocabulary import NODULE
from assistant.iterables import batched
from assistant.types import Film, OnProgress
from evals.bootstrap import ratio
from evals.counting import FindingSide
from evals.data.phantoms import as_film, downsample_film, film_of, make_phantoms, probed_findings
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, compute_figure

FILMS = 200
NODULES = 40  # films with a nodule of about 8 mm, which are rare
SEARCHED = 30_000  # numbers among which to look for them
SMALL_MM = (7.0, 9.0)
PSNR, SSIM = "tokeniser/PSNR, dB", "tokeniser/SSIM"
BEFORE = "tokeniser/8 mm nodules that the probe reads in the film"
AFTER = "tokeniser/8 mm nodules that it reads after reconstruction"
STILL = "tokeniser/8 mm nodules still read, of those read in the film"


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Measure the similarity of reconstructions, and whether small nodules survive."""
    n = options.film_count(FILMS)
    nodule_numbers = find_small_nodules(options, min(NODULES, n))
    total = n + len(nodule_numbers)
    rows: list[list[float]] = []
    for block in batched(make_phantoms(options.seed, range(n), options.site)):
        films = [as_film(phantom) for phantom in block]
        for film, reconstructed in zip(films, assistant.backbone.reconstruct(films), strict=True):
            rows.append(
                [*_similarity(downsample_film(film.pixels, len(reconstructed)), reconstructed), 1]
            )
        on_progress(len(rows), total)
    counts = np.array(rows, float).reshape(len(rows), 3)
    patients = [str(i) for i in range(n)]
    figures = {
        PSNR: compute_figure(counts[:, [0, 2]], patients, ratio),
        SSIM: compute_figure(counts[:, [1, 2]], patients, ratio),
    }
    nodules = _probe_nodules(assistant, options, nodule_numbers)
    on_progress(total, total)
    notes = {}
    if nodules is None:
        notes[STILL] = "this backbone has no probe to read the films with"
    elif not nodules:
        notes[STILL] = f"no phantom among {SEARCHED} has such a nodule"
    figures |= _nodule_figures(nodules, len(nodule_numbers))
    return PartResult(
        figures, (), notes, f"{n} phantoms, and {len(nodule_numbers)} with an 8 mm nodule"
    )


def find_small_nodules(options: SuiteOptions, limit: int) -> list[int]:
    """Find the numbers of test phantoms whose pathology has a nodule of about 8 mm.

    The pathology of a phantom is drawn before anything is rendered, so that many can be searched.
    Whether the nodule shows in the film is known only from the rendered phantom.
    """
    site, split = site_named(options.site), SPLITS.index("test")
    numbers: list[int] = []
    for number in range(SEARCHED):
        if len(numbers) == limit:
            break
        rng = np.random.default_rng([options.seed, split, ord(options.site), number])
        sizes = [lesion.size for lesion in draw_pathology(rng, site.devices).of(NODULE)]
        if any(SMALL_MM[0] <= size <= SMALL_MM[1] for size in sizes):
            numbers.append(number)
    return numbers


def _similarity(film: np.ndarray, reconstructed: np.ndarray) -> tuple[float, float]:
    """PSNR in dB and SSIM (Wang et al. 2004) of two pictures (H, W) in [0, 1]."""
    from torchmetrics.functional.image import (
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    a, b = (torch.from_numpy(np.array(p, np.float32))[None, None] for p in (reconstructed, film))
    psnr = float(peak_signal_noise_ratio(a, b, data_range=1.0))
    ssim = structural_similarity_index_measure(a, b, data_range=1.0)
    return min(psnr, 100.0) if not math.isnan(psnr) else 0.0, float(torch.as_tensor(ssim))


def _probe_nodules(
    assistant: Assistant, options: SuiteOptions, numbers: Sequence[int]
) -> list[tuple[int, bool, bool]] | None:
    """For each small nodule: its film, and whether the probe reads it there and after."""
    nodules: list[tuple[int, bool, bool]] = []
    for block in batched(make_phantoms(options.seed, numbers, options.site)):
        films = [as_film(phantom) for phantom in block]
        film_findings = probed_findings(assistant, films)
        reconstructions: list[Film] = [film_of(p) for p in assistant.backbone.reconstruct(films)]
        reconstruction_findings = probed_findings(assistant, reconstructions)
        if film_findings is None or reconstruction_findings is None:
            return None
        for number, phantom, before, after in zip(
            numbers[len(nodules) :], block, film_findings, reconstruction_findings, strict=False
        ):
            for claim in _small_nodules_of(phantom):
                nodules.append((number, claim in before, claim in after))
    return nodules


def _small_nodules_of(phantom: Phantom) -> set[FindingSide]:
    """The nodules of about 8 mm that show in a film, where no larger one is on that side."""
    sizes: dict[FindingSide, float] = {}
    for lesion in phantom.lesions:
        if lesion.finding == NODULE:
            claim = lesion.finding, lesion.side
            mm = dict(lesion.measurements)["diameter_mm"]
            sizes[claim] = max(mm, sizes.get(claim, 0.0))
    return {claim for claim, mm in sizes.items() if SMALL_MM[0] <= mm <= SMALL_MM[1]}


def _nodule_figures(
    nodules: Sequence[tuple[int, bool, bool]] | None, films: int
) -> dict[str, Figure]:
    rows = np.array([[b, a, a and b, 1] for _, b, a in nodules or ()], float).reshape(-1, 4)
    patients = [str(number) for number, _, _ in nodules or ()]
    missing = films if nodules is None else 0
    return {
        BEFORE: compute_figure(rows[:, [0, 3]], patients, ratio, unscored=missing),
        AFTER: compute_figure(rows[:, [1, 3]], patients, ratio, unscored=missing),
        STILL: compute_figure(rows[:, [2, 0]], patients, ratio, unscored=missing),
    }
