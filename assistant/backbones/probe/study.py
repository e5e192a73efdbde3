"""Combines what a probe reads in the films of one study: several frontals, and the laterals.

Each label has a weight and an offset for the lateral, fitted with the probe: what a lateral adds
to the frontal's logit is `weight * (lateral - offset)`. A label with the weight 0 is read on the
frontal alone. This module knows no film and no label's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assistant.backbones.protocols import Encoded
from assistant.errors import BackboneError


def combine_views(frontal: np.ndarray, lateral: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The label logits of a study, float32 (V, L), by those of a frontal and a lateral film.

    `frontal` (V, L) and `lateral` (W, L) hold the logits of V and W looks at each film, `weights`
    (L, 2) the weight and the offset of each label. The lateral's looks count by their mean; how
    far the V looks lie apart stays the frontal's. Raises BackboneError for other shapes.
    """
    labels = frontal.shape[-1]
    if lateral.ndim != 2 or lateral.shape[1] != labels or weights.shape != (labels, 2):
        raise BackboneError(
            f"The weights of the lateral film are for {len(weights)} labels, and the probe has "
            f"{labels}; get the backbone's files again."
        )
    weight, offset = weights[:, 0], weights[:, 1]
    return (frontal + weight * (lateral.mean(axis=0) - offset)).astype(np.float32)


def merge_study(
    frontals: Sequence[Encoded], laterals: Sequence[Encoded], weights: np.ndarray | None
) -> Encoded:
    """The first frontal with the label logits of its study.

    Further frontals count by the mean, look by look; laterals by `combine_views`, where there are
    `weights`. Features, embedding, profile and study stay those of the first frontal, and so do
    the maps and regions that come of them. A single frontal is returned as it is.
    """
    first = frontals[0]
    logits = first.logits
    if logits is None:
        return first
    if len(frontals) > 1:
        logits = np.mean([np.asarray(film.logits) for film in frontals], axis=0)
    if laterals and weights is not None:
        logits_of_laterals = np.concatenate([np.asarray(film.logits) for film in laterals])
        logits = combine_views(logits, logits_of_laterals, np.asarray(weights))
    return first if logits is first.logits else replace(first, logits=logits.astype(np.float32))
