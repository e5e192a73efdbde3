"""The gate decides, before anything is written, whether the backbone may be trusted with a film.

It makes three checks, the cheapest first. Pixels: is there more on the film than one grey or
noise? View: is it a frontal chest film, upright, with bone bright? Features: how far does the
film lie outside the films that the backbone was trained on, measured for each kind of them,
phantoms and real films, as the residual outside their principal subspace (Wang et al. 2022, "ViM:
out-of-distribution with virtual-logit matching"); and does it look like a child's? The first two
refuse the film, the last one warns. The reference ships with the backbone and never changes with
the library: adding a film to the library does not make it readable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.backbones.protocols import Backbone, Encoded
from assistant.intake.orientation import advice_of, correct_film, trouble_of
from assistant.intake.resize import square
from assistant.types import Film, FilmUse, Gate, ProbeOutput, Study

BLANK_SPREAD = 0.02  # of the grey scale: the spread of grey values under which a film is blank
LOW_CONTRAST_SPREAD = 0.10  # and under which it is read with a warning
NOISE_CORRELATION = (
    0.6  # correlation of neighbours, at 64 pixels a film, under which there is only noise
)
SMALL_SIDE = 128  # pixels of the shorter side, under which a film is read with a warning
UNKNOWN_REFERENCE = (
    "It is not known which films this backbone was made with, so that the gate cannot tell "
    "whether it may be trusted with this one."
)
CHILD = "This film seems to be a child's; the backbone knows adults."
KIND_TABLES = ("pool_mean", "pool_scale", "components", "rest", "limit")  # of a kind of films
KINDS = ("", "real.")  # what the names of a kind's tables begin with; older references have one
CHILD_HEAD = "child"  # a linear head on the profile, above 0 for a child's film; optional
LATERAL_VIEWS = ("LL", "RL", "LATERAL")  # DICOM view positions that are not frontal


def distance_within(kind: Mapping[str, np.ndarray], profile: np.ndarray) -> float:
    """How far a profile (P,) lies from one kind of films; 1 is what is usual among them.

    `kind` holds `pool_mean` and `pool_scale` (P,), `components` (K, P), the principal directions
    of these films, and `rest`, their mean squared residual outside them.
    """
    z = (profile - kind["pool_mean"]) / kind["pool_scale"]
    residual = z - kind["components"].T @ (kind["components"] @ z)
    return float(np.sqrt((residual**2).mean() / kind["rest"][0]))


def distance_to(reference: Mapping[str, np.ndarray], profile: np.ndarray) -> tuple[float, float]:
    """How far a profile (P,) lies from the nearest kind of reference films, and its limit."""
    pairs = []
    for prefix in KINDS:
        if f"{prefix}limit" in reference:
            kind = {name: reference[prefix + name] for name in KIND_TABLES}
            pairs.append((distance_within(kind, profile), float(kind["limit"][0])))
    return min(pairs, key=lambda pair: pair[0] / max(pair[1], 1e-9))


def is_childlike(reference: Mapping[str, np.ndarray], profile: np.ndarray) -> bool:
    """Whether a profile (P,) is that of a child's film; False where the reference cannot tell."""
    if f"{CHILD_HEAD}.weights" not in reference:
        return False
    weights, bias = (reference[f"{CHILD_HEAD}.{name}"] for name in ("weights", "bias"))
    return float(weights @ profile + bias[0]) > 0


def judge_film(
    reference: Mapping[str, np.ndarray],
    profile: np.ndarray,
    known_films: str,
    film: Film | None = None,
) -> Gate:
    """Judge whether a film may be read; `known_films` says in words what the backbone knows.

    Without the film only its `profile` (P,) is judged. With it the answer may be "refuse", and
    `correction` then names what would make the film readable. Without a `reference` the answer is
    "unchecked" and never "pass". Raises BackboneError if the weights of the view classifier are
    damaged.
    """
    if not reference:
        gate = Gate("unchecked", UNKNOWN_REFERENCE)
        if film is not None:
            gate = _judge_pixels(film, gate)
        if gate.answer == "warn":
            gate = replace(gate, reason=f"{UNKNOWN_REFERENCE} {gate.reason}")
        return gate
    distance, limit = distance_to(reference, profile)
    gate = Gate(
        "pass",
        f"The film lies within what the backbone knows: {known_films}.",
        round(distance, 4),
        round(limit, 4),
    )
    if film is not None:
        gate = _judge_pixels(film, gate)
    warnings = []
    if distance > limit:
        warnings.append(
            f"This film lies outside what the backbone knows ({known_films}); "
            "do not rely on any sentence of the draft."
        )
    if is_childlike(reference, profile):
        warnings.append(CHILD)
    if gate.answer == "refuse" or not warnings:
        return gate
    reason = " ".join(warnings if gate.answer == "pass" else [*warnings, gate.reason])
    return replace(gate, answer="warn", reason=reason)


def judge_pixels(film: Film) -> Gate:
    """Judge a film by its pixels and its view, without a backbone: "unchecked" at best."""
    return _judge_pixels(film, Gate("unchecked", UNKNOWN_REFERENCE))


def _judge_pixels(film: Film, gate: Gate) -> Gate:
    """Judge the film's pixels, then its view; returns the gate with the result."""
    spread = _grey_spread(film.pixels)
    if spread < BLANK_SPREAD:
        reason = (
            f"There is nothing on this film: its grey values spread over {spread:.1%} of the "
            f"scale, and a film needs {BLANK_SPREAD:.0%}."
        )
        return replace(gate, answer="refuse", reason=reason, view="blank")
    correlation = _neighbour_correlation(film.pixels)
    if correlation < NOISE_CORRELATION:
        reason = (
            f"This film is noise: its neighbouring points are alike by {correlation:.2f}, "
            f"and those of a film by {NOISE_CORRELATION} at least."
        )
        return replace(gate, answer="refuse", reason=reason, view="noise")
    return _judge_view(film, replace(gate, **_quality_warning(film, spread)))


def _judge_view(film: Film, gate: Gate) -> Gate:
    """Classify the view; returns the gate with the result. Loads torch, as late as possible."""
    from assistant.chest.view_classifier import classify_view

    view = classify_view(film)
    stated_lateral = film.view in LATERAL_VIEWS
    kind = "lateral" if stated_lateral else view.kind
    score = round(view.score, 4)
    gate = replace(
        gate, view=kind, score=score, correction=None if stated_lateral else view.correction
    )
    if kind == "frontal" and gate.correction is None:
        return gate
    score_words = f"score {score:.2f}, at least {view.limit:.2f} is needed"
    if gate.correction is not None:
        reason = (
            f"This film seems to be {trouble_of(gate.correction)}; "
            f"{advice_of(gate.correction)} and try again ({score_words})."
        )
    elif stated_lateral:
        reason = (
            f"This film is a lateral one, as its file states; give a frontal film ({score_words})."
        )
    elif kind == "lateral":
        reason = f"This film seems to be a lateral one; give a frontal film ({score_words})."
    else:
        reason = f"This does not look like a frontal chest film ({score_words})."
    return replace(gate, answer="refuse", reason=reason)


def _quality_warning(film: Film, spread: float) -> dict[str, str]:
    """The gate's fields for a film of poor quality; empty where the quality is good."""
    side = min(film.pixels.shape)
    if side < SMALL_SIDE:
        reason = f"This film is small: {side} pixels, where {SMALL_SIDE} are wanted at least."
        return {"answer": "warn", "reason": reason}
    if spread < LOW_CONTRAST_SPREAD:
        reason = (
            f"This film has little contrast: its grey values spread over {spread:.1%} of the "
            f"scale, where {LOW_CONTRAST_SPREAD:.0%} is wanted at least."
        )
        return {"answer": "warn", "reason": reason}
    return {}


def _grey_spread(pixels: np.ndarray) -> float:
    """Range of the grey values (H, W) between their 2nd and 98th percentiles."""
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
    correlations = [_correlation(a.ravel(), b.ravel()) for a, b in pairs if a.size > 1]
    return min(correlations, default=0.0)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-9 else 0.0


def probe_output_of(backbone: Backbone, encoded: Encoded) -> ProbeOutput | None:
    """The probe's output for one film; None where the backbone has no probe."""
    outputs = backbone.probe_details([encoded])
    return None if outputs is None else outputs[0]


@dataclass(frozen=True, slots=True, eq=False)
class GatedStudy:
    """A study with its encoded film, the gate's answer, and whether a draft is to be written."""

    study: Study
    encoded: Encoded
    gate: Gate
    passed: bool
    prior: Encoded | None = None  # an earlier film to compare with
    uses: tuple[FilmUse, ...] = ()  # what was made of each film, where there are several


def gate_studies(
    backbone: Backbone, studies: Sequence[Study], *, correct: bool, anyway: bool
) -> list[GatedStudy]:
    """Encode each study's film and judge it.

    With `correct` a film that is turned, mirrored or inverted is corrected as the gate says and
    judged again; its flags say what was done. With `anyway` a refused film passes too.
    """
    gated = _gate_batch(backbone, studies, anyway)
    to_correct = [i for i, study in enumerate(gated) if correct and study.gate.correction]
    if not to_correct:
        return gated
    corrected = [_correct_study(gated[i]) for i in to_correct]
    for i, study in zip(to_correct, _gate_batch(backbone, corrected, anyway), strict=True):
        gated[i] = study
    return gated


def _gate_batch(backbone: Backbone, studies: Sequence[Study], anyway: bool) -> list[GatedStudy]:
    films = [study.films[0] for study in studies]
    gated = []
    for study, film, film_encoded in zip(studies, films, backbone.encode(films), strict=True):
        gate = judge_encoded(backbone, film, film_encoded)
        # A writer of another family looks at all films of the study itself.
        film_encoded = replace(film_encoded, study=study)
        gated.append(GatedStudy(study, film_encoded, gate, anyway or gate.answer != "refuse"))
    return gated


def judge_encoded(backbone: Backbone, film: Film, encoded: Encoded) -> Gate:
    """Judge a film that is already encoded."""
    known_films = str(backbone.card.get("knows", ""))
    return judge_film(backbone.reference, encoded.profile, known_films, film)


def _correct_study(gated: GatedStudy) -> Study:
    first, *others = gated.study.films
    return replace(gated.study, films=(correct_film(first, str(gated.gate.correction)), *others))
