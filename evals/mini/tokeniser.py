"""What is left of a film after the picture tokeniser: its pixels, and its smallest nodules."""

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
from evals.data.phantoms import as_film, downsample_film, film_of, phantoms, probed_findings
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, figure

FILMS = 200
NODULES = 40  # films with a nodule of about 8 mm, which are rare
SEARCHED = 30_000  # numbers among which to look for them
SMALL_MM = (7.0, 9.0)
PSNR, SSIM = "tokeniser/PSNR, dB", "tokeniser/SSIM"
BEFORE = "tokeniser/8 mm nodules that the probe reads in the film"
AFTER = "tokeniser/8 mm nodules that it reads after reconstruction"
STILL = "tokeniser/8 mm nodules still read, of those read in the film"


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Likeness of films and their reconstructions, and whether small nodules survive."""
    n = options.films(FILMS)
    small = small_nodules(options, min(NODULES, n))
    total = n + len(small)
    rows: list[list[float]] = []
    for block in batched(phantoms(options.seed, range(n), options.site)):
        films = [as_film(phantom) for phantom in block]
        for film, made in zip(films, assistant.backbone.reconstruct(films), strict=True):
            rows.append([*_likeness(downsample_film(film.pixels, len(made)), made), 1])
        on_progress(len(rows), total)
    counts = np.array(rows, float).reshape(len(rows), 3)
    people = [str(i) for i in range(n)]
    figures = {
        PSNR: figure(counts[:, [0, 2]], people, ratio),
        SSIM: figure(counts[:, [1, 2]], people, ratio),
    }
    read = _nodules_read(assistant, options, small)
    on_progress(total, total)
    notes = {}
    if read is None:
        notes[STILL] = "this backbone has no probe to read the films with"
    elif not read:
        notes[STILL] = f"no phantom among {SEARCHED} has such a nodule"
    figures |= _nodule_figures(read, len(small))
    return PartResult(figures, (), notes, f"{n} phantoms, and {len(small)} with an 8 mm nodule")


def small_nodules(options: SuiteOptions, most: int) -> list[int]:
    """Numbers of test phantoms that are to have a nodule of about 8 mm.

    What a phantom has is drawn before anything is rendered, so that many can be looked through.
    Whether it shows in the film is for the phantom to say.
    """
    site, split = site_named(options.site), SPLITS.index("test")
    found: list[int] = []
    for number in range(SEARCHED):
        if len(found) == most:
            break
        rng = np.random.default_rng([options.seed, split, ord(options.site), number])
        sizes = [ill.size for ill in draw_pathology(rng, site.devices).of(NODULE)]
        if any(SMALL_MM[0] <= size <= SMALL_MM[1] for size in sizes):
            found.append(number)
    return found


def _likeness(film: np.ndarray, made: np.ndarray) -> tuple[float, float]:
    """PSNR in dB and SSIM (Wang et al. 2004) of two pictures (H, W) in [0, 1]."""
    from torchmetrics.functional.image import (
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    a, b = (torch.from_numpy(np.array(p, np.float32))[None, None] for p in (made, film))
    noise = float(peak_signal_noise_ratio(a, b, data_range=1.0))
    alike = structural_similarity_index_measure(a, b, data_range=1.0)
    return min(noise, 100.0) if not math.isnan(noise) else 0.0, float(torch.as_tensor(alike))


def _nodules_read(
    assistant: Assistant, options: SuiteOptions, numbers: Sequence[int]
) -> list[tuple[int, bool, bool]] | None:
    """For each small nodule: its film, whether it is read there, and in the reconstruction."""
    read: list[tuple[int, bool, bool]] = []
    for block in batched(phantoms(options.seed, numbers, options.site)):
        films = [as_film(phantom) for phantom in block]
        first = probed_findings(assistant, films)
        made: list[Film] = [film_of(p) for p in assistant.backbone.reconstruct(films)]
        second = probed_findings(assistant, made)
        if first is None or second is None:
            return None
        for number, phantom, before, after in zip(
            numbers[len(read) :], block, first, second, strict=False
        ):
            for claim in _small(phantom):
                read.append((number, claim in before, claim in after))
    return read


def _small(phantom: Phantom) -> set[FindingSide]:
    """The nodules of about 8 mm that a film does show, where no larger one is on that side."""
    sizes: dict[FindingSide, float] = {}
    for lesion in phantom.lesions:
        if lesion.finding == NODULE:
            claim = lesion.finding, lesion.side
            mm = dict(lesion.measurements)["diameter_mm"]
            sizes[claim] = max(mm, sizes.get(claim, 0.0))
    return {claim for claim, mm in sizes.items() if SMALL_MM[0] <= mm <= SMALL_MM[1]}


def _nodule_figures(read: Sequence[tuple[int, bool, bool]] | None, films: int) -> dict[str, Figure]:
    rows = np.array([[b, a, a and b, 1] for _, b, a in read or ()], float).reshape(-1, 4)
    people = [str(number) for number, _, _ in read or ()]
    missing = films if read is None else 0
    return {
        BEFORE: figure(rows[:, [0, 3]], people, ratio, unscored=missing),
        AFTER: figure(rows[:, [1, 3]], people, ratio, unscored=missing),
        STILL: figure(rows[:, [2, 0]], people, ratio, unscored=missing),
    }
