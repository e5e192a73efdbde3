"""Where the probe sees a finding, against the boxes that radiologists drew (the pointing game).

Zhang et al. 2018, "Top-down neural attention by excitation backprop": a hit is a map that is
highest inside the box. A point set anywhere would hit as often as the box is large.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assistant.chest.vocabulary import finding_named, finding_of_label
from evals.data.real_films import BoxCorners, FilmRecord
from evals.films.readings import FilmReading, MapPoint
from evals.results import FigureTable, figure_of

HIT, CHANCE, GAIN = (
    "maximum of the map in the box",
    "the same by chance",
    "hits above chance",
)


def is_inside(point: MapPoint, box: BoxCorners) -> bool:
    """Whether a point lies in a box, both in parts of the film."""
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def score_places(
    records: Sequence[FilmRecord], readings: Sequence[FilmReading | None]
) -> tuple[FigureTable, dict[str, str]]:
    """Score each finding of each film that has boxes: one hit if any of its boxes is hit."""
    rows: dict[str, list[tuple[str, float, float]]] = {}
    missing: dict[str, int] = {}
    for record, reading in zip(records, readings, strict=True):
        boxes: dict[str, list[BoxCorners]] = {}
        for label, box in record.boxes:
            boxes.setdefault(finding_of_label(label) or "", []).append(box)
        for finding, places in boxes.items():
            point = None if reading is None else reading.points.get(finding)
            if point is None:
                missing[finding] = missing.get(finding, 0) + 1
                continue
            hit = float(any(is_inside(point, box) for box in places))
            rows.setdefault(finding, []).append((record.patient, hit, _covered(places)))
    tally, notes = FigureTable(), {}
    everything = [row for kept in rows.values() for row in kept]
    _add(tally, "", everything, sum(missing.values()))
    for finding in dict.fromkeys((*rows, *missing)):
        name = finding_named(finding).name
        _add(tally, f", {name}", rows.get(finding, []), missing.get(finding, 0))
        if missing.get(finding):
            notes[f"{HIT}, {name}"] = "unscored: the probe has no map of it, or no film"
    if not rows and not missing:
        notes[HIT] = "the table has no boxes"
    notes[CHANCE] = "the share of the film that the boxes cover"
    return tally, notes


def _add(
    tally: FigureTable, suffix: str, rows: Sequence[tuple[str, float, float]], missing: int
) -> None:
    patients = [patient for patient, _, _ in rows]
    if not rows:
        tally.figures[f"{HIT}{suffix}"] = figure_of(None, 0, unscored=missing)
        return
    hits = [[hit, 1] for _, hit, _ in rows]
    chance = [[share, 1] for _, _, share in rows]
    gain = [[hit - share, 1] for _, hit, share in rows]
    for name, counts in ((HIT, hits), (CHANCE, chance), (GAIN, gain)):
        tally.add(f"{name}{suffix}", counts, patients, "mean", unscored=missing)


def _covered(boxes: Sequence[BoxCorners]) -> float:
    """The share of the film that boxes cover, where they overlap once; by a grid of 400."""
    centres = (np.arange(400) + 0.5) / 400
    covered = np.zeros((400, 400), bool)
    for left, top, right, bottom in boxes:
        across = (left <= centres) & (centres <= right)
        down = (top <= centres) & (centres <= bottom)
        covered |= down[:, None] & across
    return float(covered.mean())
