"""The truth of a phantom as assertions and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assistant.chest.phantoms.case import Phantom
from assistant.chest.phantoms.lesions import Lesion
from assistant.chest.phantoms.pathology import DEGREES
from assistant.chest.phantoms.reports import changes
from assistant.types import Assertion


def assertions(lesions: Sequence[Lesion]) -> tuple[Assertion, ...]:
    """What is in a film; a finding so faint that a reader hedges is `uncertain`."""
    return tuple(
        Assertion(
            finding=lesion.finding,
            polarity="uncertain" if lesion.faint else "present",
            side=lesion.side,
            zone=lesion.zone,
            degree=lesion.degree if lesion.degree in DEGREES else None,
        )
        for lesion in lesions
    )


def truth_assertions(phantom: Phantom) -> tuple[Assertion, ...]:
    """Findings, distractors and devices of a phantom."""
    return assertions((*phantom.lesions, *phantom.distractors, *phantom.devices))


def tube_positions(phantom: Phantom) -> Mapping[str, str]:
    """Where the tips of tubes lie, by device: "in place", "too high" or "too low"."""
    tubes = [x for x in phantom.devices if x.finding == "endotracheal_tube"]
    return {x.finding: str(x.degree) for x in tubes}


def _box(mask: np.ndarray) -> list[int]:
    """The smallest box round a mask: x0, y0, x1, y1 in pixels, the last two exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def _row(lesion: Lesion) -> dict[str, Any]:
    tube = lesion.finding == "endotracheal_tube"
    return {
        "finding": lesion.finding,
        "polarity": "uncertain" if lesion.faint else "present",
        "side": lesion.side,
        "zone": lesion.zone,
        "degree": None if tube else lesion.degree,
        **({"position": lesion.degree} if tube else {}),
        "box": _box(lesion.mask),
        "measurements": dict(lesion.measurements),
    }


def truth_of(phantom: Phantom, image: str) -> dict[str, Any]:
    """One line of `truth.jsonl`: what is in the film, where, how large, and since when."""
    truth: dict[str, Any] = {
        "image": image,
        "site": phantom.site,
        "spacing_mm": round(phantom.spacing_mm, 4),
        "assertions": [_row(x) for x in phantom.lesions],
        "devices": [_row(x) for x in phantom.devices],
        "distractors": [_row(x) for x in phantom.distractors],
        "measurements": {"cardiothoracic_ratio": round(phantom.cardiothoracic_ratio, 3)},
        "prior": None,
    }
    if phantom.prior is not None:
        truth["prior"] = {
            "days": phantom.prior.days,
            "changes": [
                {"finding": x.finding, "side": x.side, "zone": x.zone, "change": kind}
                for kind, x in changes(phantom.lesions, phantom.prior.lesions)
            ],
        }
    return truth
