"""What the suite and the folders share: the tiers run, put together, and shown on the card."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant import Assistant
from assistant.chest.vocabulary import NORMAL, finding_of_label
from assistant.intake.png import png
from assistant.intake.resize import square
from assistant.iterables import batched
from assistant.painting.copy_check import EDGE
from assistant.types import CopyCheck, Film
from evals.counting import FindingSide, as_rows
from evals.image import feature
from evals.image.encoders import NamedEncoder
from evals.image.pixel import error_map
from evals.results import PartResult, figure_of

SHOWN = 12  # made films that the card shows
MAPS = 4  # pairs of films that are kept with the map of their differences


class ReferenceSet:
    """Films in memory, to find the ones most like another by `assistant.painting.copy_check`."""

    name = "real"

    def __init__(self, assistant: Assistant) -> None:
        self._encoder = assistant.backbone
        self._pictures: list[np.ndarray] = []
        self._embeddings: list[np.ndarray] = []

    def add(self, films: Sequence[Film]) -> None:
        """Put films on the shelf; they are numbered as they come."""
        for block in batched(films):
            self._pictures += [square(film.pixels, EDGE) for film in block]
            self._embeddings += [code.embedding for code in self._encoder.encode(block)]

    def nearest(self, embedding: np.ndarray, count: int) -> list[str]:
        """Numbers of the films nearest to an embedding (D,), the nearest first."""
        order = np.argsort(-(np.stack(self._embeddings) @ embedding), kind="stable")
        return [str(number) for number in order[:count]]

    def picture(self, film: str) -> np.ndarray:
        """The film's picture, float32 (128, 128) in [0, 1]."""
        return self._pictures[int(film)]


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedFilms:
    """A made film with what it was asked to show and what is seen in it."""

    film: Film
    prompt: str
    asked: set[FindingSide]
    hedged: set[FindingSide]
    read: set[FindingSide] | None  # None: there is no probe


def encode_films(
    encoders: Sequence[NamedEncoder], blocks: Iterable[list[Film]]
) -> dict[str, np.ndarray]:
    """Features float32 (N, P) of films that come in blocks, by the name of the encoder."""
    rows: dict[str, list[np.ndarray]] = {e.name: [] for e in encoders if e.features is not None}
    for block in blocks:
        for encoder in encoders:
            if encoder.features is not None and block:
                rows[encoder.name].append(encoder.features(block))
    return {name: np.concatenate(parts) for name, parts in rows.items() if parts}


def features_compared(
    encoders: Sequence[NamedEncoder],
    real: Mapping[str, np.ndarray],
    made: Mapping[str, np.ndarray],
    patients: Sequence[str],
    *,
    seed: int,
    unscored: int = 0,
) -> PartResult:
    """The feature tier by every encoder; one that is not to be had is unscored, with the reason."""
    parts: list[PartResult] = []
    for encoder in encoders:
        if encoder.features is not None:
            parts.append(
                feature.measure(
                    real[encoder.name],
                    made[encoder.name],
                    patients,
                    name="image",
                    encoder=encoder.name,
                    seed=seed,
                    unscored=unscored,
                )
            )
            continue
        fid = f"image/{feature.FID.format(encoder.name)}"
        count = len(next(iter(made.values()), ())) + unscored
        parts.append(
            PartResult({fid: figure_of(None, 0, unscored=count)}, (), {fid: encoder.missing})
        )
    return join_results(parts)


def labels_of(told: Sequence[Iterable[str]], findings: Sequence[str]) -> np.ndarray:
    """What the labels of films name, bool (N, F); a label is a key or a name in a data set."""
    return np.array(
        [
            [one in {finding_of_label(label) for label in labels} for one in findings]
            for labels in told
        ],
        bool,
    ).reshape(len(told), len(findings))


def findings_in(told: Iterable[Iterable[str]]) -> set[str]:
    """The findings that the labels of films name."""
    keys = {finding_of_label(label) for labels in told for label in labels}
    return {key for key in keys if key is not None and key != NORMAL}


def shown_cases(
    made: Sequence[GeneratedFilms], checks: Sequence[CopyCheck], shelf: ReferenceSet
) -> list[dict[str, Any]]:
    """Made films as the card shows them, each with the real film that is most like it."""
    return [
        {
            "part": "image",
            "case": number,
            "prompt": one.prompt,
            "picture": uri(one.film.pixels, synthetic=True),
            "nearest": None if check.film is None else uri(shelf.picture(check.film)),
            "similarity": check.similarity,
            "asked": as_rows(one.asked),
            "read": None if one.read is None else as_rows(one.read),
        }
        for number, (one, check) in enumerate(zip(made, checks, strict=True))
    ]


def map_errors(part: str, number: int, film: np.ndarray, made: np.ndarray) -> dict[str, Any]:
    """A pair of films of one shape with the map of where they differ."""
    return {
        "part": part,
        "case": number,
        "film": uri(film),
        "made": uri(made, synthetic=True),
        "error": uri(error_map(film, made)),
    }


def uri(pixels: np.ndarray, *, synthetic: bool = False) -> str:
    """A film (H, W) in [0, 1] as a data URI of a PNG of 128 pixels a side."""
    small = png(square(pixels, EDGE), synthetic=synthetic)
    return "data:image/png;base64," + base64.b64encode(small).decode("ascii")


def join_results(parts: Iterable[PartResult], material: str = "") -> PartResult:
    """Several parts as one, in their order."""
    told = list(parts)
    return PartResult(
        {name: one for part in told for name, one in part.figures.items()},
        [case for part in told for case in part.cases],
        {name: text for part in told for name, text in part.notes.items()},
        material,
        {name: counts for part in told for name, counts in part.counts.items()},
        {name: plot for part in told for name, plot in part.plots.items()},
    )
