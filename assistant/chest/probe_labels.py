"""The labels that a probe learns on phantoms: findings by patch, and findings by place."""

from __future__ import annotations

from assistant.chest.places import LARGE, MODERATE, SIDES, ZONES
from assistant.chest.vocabulary import CARDIOMEGALY, DEVICES, DISTRACTORS, PHANTOM_FINDINGS, TUBE

CHANNELS = (*PHANTOM_FINDINGS, *DISTRACTORS, *DEVICES)  # of the patch targets
_SIDED = (
    "pleural_effusion", "pneumothorax", "atelectasis", "fracture", "central_line", "pacemaker",
    "chest_drain",
)  # fmt: skip
ZONED = ("consolidation", "nodule", "mass", "granuloma")
_GRADED = ("pleural_effusion", "pneumothorax")
_WHOLE = tuple(f for f in CHANNELS if f not in (*_SIDED, *ZONED))
_ABOVE_SMALL, _ABOVE_MODERATE = (MODERATE, LARGE), (LARGE,)

# (finding, side, zone, degrees): with degrees, whether it is present at one of these.
LABEL_KEYS: tuple[tuple[str, str | None, str | None, tuple[str, ...]], ...] = (
    *((f, None, None, ()) for f in _WHOLE),
    *((f, s, None, ()) for f in _SIDED for s in SIDES),
    *((f, s, z, ()) for f in ZONED for s in SIDES for z in ZONES),
    *((CARDIOMEGALY, None, None, d) for d in (_ABOVE_SMALL, _ABOVE_MODERATE)),
    *((f, s, None, d) for f in _GRADED for s in SIDES for d in (_ABOVE_SMALL, _ABOVE_MODERATE)),
    *((TUBE, None, None, (d,)) for d in ("too low", "too high")),
)
