"""May the backbone be trusted with this film at all? Asked before anything is written.

Three questions, the cheapest first. Of the pixels: is there anything on the film but one grey or
noise? Of the view: is it a frontal chest film, upright, with bone bright? Of the backbone's
features: how much of them can the films that it was made with not explain, which is the residual
outside their principal subspace (Wang et al. 2022, "ViM: out-of-distribution with virtual-logit
matching")? The first two refuse, the last one warns. The reference ships with the backbone and
never changes with the library: a film does not become readable by being filed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.backbones.protocols import Backbone, Encoded
from assistant.intake.orientation import advice_of, correct_film, trouble_of
from assistant.intake.resize import square
from assistant.types import Film, Gate, ProbeOutput, Study

EMPTY = 0.02  # of the grey scale: the spread of grey values under which a film is blank
FLAT = 0.10  # and under which it is read with a warning
ALIKE = 0.6  # correlation of neighbours, at 64 pixels a film, under which there is only noise
SMALL = 128  # pixels of the shorter side, under which a film is read with a warning
UNKNOWN = (
    "It is not known which films this backbone was made with, so that the gate cannot tell "
    "whether it may be trusted with this one."
)
SIDE_ON = ("LL", "RL", "LATERAL")  # DICOM view positions that are not frontal


def distance_to(reference: Mapping[str, np.ndarray], profile: np.ndarray) -> float:
    """How far a profile (P,) lies from the reference films; 1 is what is usual among them.

    `reference` holds `pool_mean` and `pool_scale` (P,), `components` (K, P), the principal
    directions of the reference films, and `rest`, their mean squared residual outside them.
    """
    z = (profile - reference["pool_mean"]) / reference["pool_scale"]
    residual = z - reference["components"].T @ (reference["components"] @ z)
    return float(np.sqrt((residual**2).mean() / reference["rest"][0]))


def judge_film(
    reference: Mapping[str, np.ndarray],
    profile: np.ndarray,
    knows: str,
    film: Film | None = None,
) -> Gate:
    """Say whether a film is one to read, and within what the backbone `knows` (in words).

    Without the film only its `profile` (P,) is judged. With it the answer may be "refuse", and
    `correction` then names what would make it a film to read. Without a `reference` it is
    "unchecked" whether the backbone knows such films: never a pass. Raises BackboneError if the
    weights that tell the view are damaged.
    """
    if not reference:
        unknown = Gate("unchecked", UNKNOWN)
        seen = unknown if film is None else _of_film(film, unknown)
        return replace(seen, reason=f"{UNKNOWN} {seen.reason}") if seen.answer == "warn" else seen
    distance, limit = distance_to(reference, profile), float(reference["limit"][0])
    within = Gate(
        "pass",
        f"The film lies within what the backbone knows: {knows}.",
        round(distance, 4),
        round(limit, 4),
    )
    if film is not None:
        within = _of_film(film, within)
    if within.answer == "refuse" or distance <= limit:
        return within
    reason = (
        f"This film lies outside what the backbone knows ({knows}); "
        "do not rely on any sentence of the draft."
    )
    reason = reason if within.answer == "pass" else f"{reason} {within.reason}"
    return replace(within, answer="warn", reason=reason)


def _of_film(film: Film, gate: Gate) -> Gate:
    """The gate after looking at the film itself: its pixels, then its view."""
    spread = _spread(film.pixels)
    if spread < EMPTY:
        reason = (
            f"There is nothing on this film: its grey values spread over {spread:.1%} of the "
            f"scale, and a film needs {EMPTY:.0%}."
        )
        return replace(gate, answer="refuse", reason=reason, view="blank")
    alike = _neighbour_correlation(film.pixels)
    if alike < ALIKE:
        reason = (
            f"This film is noise: its neighbouring points are alike by {alike:.2f}, and those of "
            f"a film by {ALIKE} at least."
        )
        return replace(gate, answer="refuse", reason=reason, view="noise")
    return _of_view(film, replace(gate, **_quality(film, spread)))


def _of_view(film: Film, gate: Gate) -> Gate:
    """The gate after telling the view; torch is loaded here, as late as can be."""
    from assistant.chest.view_classifier import classify_view

    view = classify_view(film)
    stated = film.view in SIDE_ON
    kind = "lateral" if stated else view.kind
    score = round(view.score, 4)
    gate = replace(gate, view=kind, score=score, correction=None if stated else view.correction)
    if kind == "frontal" and gate.correction is None:
        return gate
    number = f"score {score:.2f}, at least {view.limit:.2f} is needed"
    if gate.correction is not None:
        reason = (
            f"This film seems to be {trouble_of(gate.correction)}; "
            f"{advice_of(gate.correction)} and try again ({number})."
        )
    elif stated:
        reason = f"This film is a lateral one, as its file states; give a frontal film ({number})."
    elif kind == "lateral":
        reason = f"This film seems to be a lateral one; give a frontal film ({number})."
    else:
        reason = f"This does not look like a frontal chest film ({number})."
    return replace(gate, answer="refuse", reason=reason)


def _quality(film: Film, spread: float) -> dict[str, str]:
    """What warns of a film that is one, but a poor one."""
    side = min(film.pixels.shape)
    if side < SMALL:
        reason = f"This film is small: {side} pixels, where {SMALL} are wanted at least."
        return {"answer": "warn", "reason": reason}
    if spread < FLAT:
        reason = (
            f"This film has little contrast: its grey values spread over {spread:.1%} of the "
            f"scale, where {FLAT:.0%} is wanted at least."
        )
        return {"answer": "warn", "reason": reason}
    return {}


def _spread(pixels: np.ndarray) -> float:
    """How far the grey values (H, W) reach, but for the outermost in fifty on either side."""
    step = max(1, min(pixels.shape) // 256)  # a large film is sampled: it is only a spread
    low, high = np.percentile(pixels[::step, ::step], [2, 98])
    return float(high - low)


def _neighbour_correlation(pixels: np.ndarray) -> float:
    """Correlation, in [-1, 1], of neighbouring points of the film (H, W) at 64 pixels."""
    small = square(pixels, 64)
    rows, columns = np.nonzero(small)
    if len(rows):  # without the dark that fits it into the square
        small = small[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    pairs = [(small[1:], small[:-1]), (small[:, 1:], small[:, :-1])]
    found = [_correlation(a.ravel(), b.ravel()) for a, b in pairs if a.size > 1]
    return min(found, default=0.0)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-9 else 0.0


def probe_output_of(backbone: Backbone, encoded: Encoded) -> ProbeOutput | None:
    """All that the probe says of one film; None where the backbone has none."""
    looks = backbone.probe_details([encoded])
    return None if looks is None else looks[0]


@dataclass(frozen=True, slots=True, eq=False)
class GatedStudy:
    """A study whose film was looked at, and whether it is to be written about."""

    study: Study
    encoded: Encoded
    gate: Gate
    passed: bool


def gate_studies(
    backbone: Backbone, studies: Sequence[Study], *, correct: bool, anyway: bool
) -> list[GatedStudy]:
    """Look at each study's film and ask the gate.

    With `correct` a film that lies wrongly is put right as the gate says and asked about again;
    it bears the flag of what was done. With `anyway` what is refused is written about too.
    """
    admitted = _asked(backbone, studies, anyway)
    wrong = [i for i, one in enumerate(admitted) if correct and one.gate.correction]
    righted = [_put_right(admitted[i]) for i in wrong]
    for i, one in zip(wrong, _asked(backbone, righted, anyway), strict=True):
        admitted[i] = one
    return admitted


def _asked(backbone: Backbone, studies: Sequence[Study], anyway: bool) -> list[GatedStudy]:
    films = [study.films[0] for study in studies]
    made = []
    for study, film, code in zip(studies, films, backbone.encode(films), strict=True):
        gate = judge_encoded(backbone, film, code)
        # A writer of another family looks at all films of the study itself.
        code = replace(code, study=study)
        made.append(GatedStudy(study, code, gate, anyway or gate.answer != "refuse"))
    return made


def judge_encoded(backbone: Backbone, film: Film, encoded: Encoded) -> Gate:
    """What the gate says of a film that is encoded."""
    knows = str(backbone.card.get("knows", ""))
    return judge_film(backbone.reference, encoded.profile, knows, film)


def _put_right(one: GatedStudy) -> Study:
    first, *others = one.study.films
    return replace(one.study, films=(correct_film(first, str(one.gate.correction)), *others))
