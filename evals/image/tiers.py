"""What `suite` and `folders` share: run the tiers, join their results, list cases for the card."""

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

SHOWN = 12  # generated films that the card shows
MAPS = 4  # pairs of films that are kept with the map of their differences


class ReferenceSet:
    """Films in memory, in which `assistant.painting.copy_check` looks for the most similar one."""

    name = "real"

    def __init__(self, assistant: Assistant) -> None:
        self._encoder = assistant.backbone
        self._pictures: list[np.ndarray] = []
        self._embeddings: list[np.ndarray] = []

    def add(self, films: Sequence[Film]) -> None:
        """Add films; they are numbered in the order of adding."""
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
class GeneratedFilm:
    """A generated film with the findings requested and the findings probed in it."""

    film: Film
    prompt: str
    requested: set[FindingSide]
    hedged: set[FindingSide]
    probed: set[FindingSide] | None  # None: there is no probe


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


def compare_features(
    encoders: Sequence[NamedEncoder],
    real: Mapping[str, np.ndarray],
    generated: Mapping[str, np.ndarray],
    patients: Sequence[str],
    *,
    seed: int,
    unscored: int = 0,
) -> PartResult:
    """The feature tier by every encoder; one that is not available is unscored, with the reason."""
    parts: list[PartResult] = []
    for encoder in encoders:
        if encoder.features is not None:
            parts.append(
                feature.measure(
                    real[encoder.name],
                    generated[encoder.name],
                    patients,
                    name="image",
                    encoder=encoder.name,
                    seed=seed,
                    unscored=unscored,
                )
            )
            continue
        fid = f"image/{feature.FID.format(encoder.name)}"
        count = len(next(iter(generated.values()), ())) + unscored
        parts.append(
            PartResult({fid: figure_of(None, 0, unscored=count)}, (), {fid: encoder.missing})
        )
    return join_results(parts)


def labels_of(film_labels: Sequence[Iterable[str]], findings: Sequence[str]) -> np.ndarray:
    """Which findings the labels of each film name, bool (N, F).

    A label is a key of the vocabulary, or the name of a finding in a data set.
    """
    return np.array(
        [
            [finding in {finding_of_label(label) for label in labels} for finding in findings]
            for labels in film_labels
        ],
        bool,
    ).reshape(len(film_labels), len(findings))


def findings_of_labels(film_labels: Iterable[Iterable[str]]) -> set[str]:
    """The findings that the labels of films name."""
    keys = {finding_of_label(label) for labels in film_labels for label in labels}
    return {key for key in keys if key is not None and key != NORMAL}


def cases_of(
    generated: Sequence[GeneratedFilm], checks: Sequence[CopyCheck], references: ReferenceSet
) -> list[dict[str, Any]]:
    """Generated films as cases of the card, each with the real film most similar to it."""
    return [
        {
            "part": "image",
            "case": number,
            "prompt": example.prompt,
            "picture": data_uri_of(example.film.pixels, synthetic=True),
            "nearest": None if check.film is None else data_uri_of(references.picture(check.film)),
            "similarity": check.similarity,
            "asked": as_rows(example.requested),
            "read": None if example.probed is None else as_rows(example.probed),
        }
        for number, (example, check) in enumerate(zip(generated, checks, strict=True))
    ]


def map_errors(part: str, number: int, film: np.ndarray, generated: np.ndarray) -> dict[str, Any]:
    """A pair of films of one shape with the map of where they differ."""
    return {
        "part": part,
        "case": number,
        "film": data_uri_of(film),
        "made": data_uri_of(generated, synthetic=True),
        "error": data_uri_of(error_map(film, generated)),
    }


def data_uri_of(pixels: np.ndarray, *, synthetic: bool = False) -> str:
    """A film (H, W) in [0, 1] as a data URI of a PNG of 128 pixels a side."""
    thumbnail = png(square(pixels, EDGE), synthetic=synthetic)
    return "data:image/png;base64," + base64.b64encode(thumbnail).decode("ascii")


def join_results(parts: Iterable[PartResult], material: str = "") -> PartResult:
    """Join several parts into one, in their order."""
    results = list(parts)
    return PartResult(
        {name: figure for part in results for name, figure in part.figures.items()},
        [case for part in results for case in part.cases],
        {name: text for part in results for name, text in part.notes.items()},
        material,
        {name: counts for part in results for name, counts in part.counts.items()},
        {name: plot for part in results for name, plot in part.plots.items()},
    )
