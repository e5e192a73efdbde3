"""What the backbone makes of each film: gate, probe, embedding and draft, from one encoding.

Everything goes through the stages of `Assistant`; a film is encoded once for all parts of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant import Assistant, WetreadError
from assistant.drafting.draft import DraftOptions
from assistant.drafting.pipeline import DraftPipeline
from assistant.gate import gate_studies
from assistant.types import Action, Assertion, Film, OnProgress, ProbeOutput, Report, Study
from evals.data.real_films import FilmRecord, read_record
from evals.films.blocks import compute_in_blocks

MapPoint = tuple[float, float]  # across and down, in parts of the film


@dataclass(frozen=True, slots=True)
class DraftedSentence:
    """One sentence of a draft with what the assistant made of it."""

    text: str
    section: str
    risk: float | None
    action: Action | None
    shown: bool
    claims: tuple[Assertion, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FilmReading:
    """What the backbone makes of one film."""

    film: str  # its hash
    gate: str  # the answer
    probabilities: Mapping[str, float] | None  # by finding; None: no probe
    points: Mapping[str, MapPoint]  # by finding: where the probe's map is highest
    embedding: np.ndarray  # float32 (D,)
    sentences: tuple[DraftedSentence, ...] | None  # None: not drafted


def probability_of(output: ProbeOutput, finding: str) -> float | None:
    """The probability, in [0, 1], of a finding at any place: the largest over its labels.

    Labels of a degree are left out: they say how much of it there is. None where the probe has no
    label for the finding.
    """
    return max((p.probability for p in output.labels if p.finding == finding and not p.degrees),
               default=None)  # fmt: skip


def read_studies(
    assistant: Assistant,
    studies: Sequence[Sequence[FilmRecord]],
    *,
    drafted: int,
    folder: Path | None,
    on_progress: OnProgress,
) -> list[FilmReading | None]:
    """Read studies in their order, frontal first, and draft the first `drafted`.

    None for a study with a film that cannot be read. Every draft is written, even where the gate
    refuses, from the films alone: without the indication, an earlier report or similar cases.
    """
    numbered = list(enumerate(studies))

    def read_block(block: Sequence[tuple[int, Sequence[FilmRecord]]]) -> list[Any]:
        return _in_places(
            [records for _, records in block],
            lambda known: _read_studies(assistant, known, drafted=block[0][0] < drafted),
        )

    rows = compute_in_blocks(numbered, read_block, folder, on_progress)
    return [None if row is None else _reading_of(row) for row in rows]


def judge_records(
    assistant: Assistant,
    records: Sequence[FilmRecord],
    folder: Path | None,
    on_progress: OnProgress,
) -> list[tuple[str, str] | None]:
    """The hash of each film and the gate's answer; None for what cannot be read."""

    def judge(studies: Sequence[Study]) -> list[Any]:
        gated = gate_studies(assistant.backbone, studies, correct=False, anyway=True)
        return [(item.study.films[0].sha256, item.gate.answer) for item in gated]

    singles = [(record,) for record in records]
    rows = compute_in_blocks(singles, lambda block: _in_places(block, judge), folder, on_progress)
    return [None if row is None else (row[0], row[1]) for row in rows]


def embed_records(
    assistant: Assistant,
    records: Sequence[FilmRecord],
    folder: Path | None,
    on_progress: OnProgress,
) -> list[np.ndarray | None]:
    """The embedding of each film, float32 (D,); None for what cannot be read."""

    def embed(studies: Sequence[Study]) -> list[Any]:
        codes = assistant.backbone.encode([study.films[0] for study in studies])
        return [code.embedding.tolist() for code in codes]

    singles = [(record,) for record in records]
    rows = compute_in_blocks(singles, lambda block: _in_places(block, embed), folder, on_progress)
    return [None if row is None else np.array(row, np.float32) for row in rows]


def draft_texts(
    assistant: Assistant, films: Sequence[Film], folder: Path | None, on_progress: OnProgress
) -> list[list[str]]:
    """The sentences of the draft of each film, as `read_studies` drafts."""
    options = DraftOptions(neighbours=0, anyway=True)

    def draft(block: Sequence[Film]) -> list[Any]:
        pipeline = DraftPipeline(assistant.backbone, None, options)
        reports = pipeline.report(pipeline.gate([Study((film,)) for film in block]))
        return [[sentence.text for sentence in report.sentences] for report in reports]

    return compute_in_blocks(films, draft, folder, on_progress)


def _in_places(
    items: Sequence[Sequence[FilmRecord]], measure: Callable[[Sequence[Study]], list[Any]]
) -> list[Any]:
    """Measure the studies that can be read; a result for each item, None for the others."""
    studies: list[Study] = []
    places: list[int] = []
    for place, records in enumerate(items):
        try:
            studies.append(Study(tuple(read_record(record) for record in records)))
        except WetreadError:
            continue
        places.append(place)
    results: list[Any] = [None] * len(items)
    for place, result in zip(places, measure(studies) if studies else (), strict=True):
        results[place] = result
    return results


def _read_studies(
    assistant: Assistant, studies: Sequence[Study], *, drafted: bool
) -> list[dict[str, Any]]:
    backbone = assistant.backbone
    pipeline = DraftPipeline(backbone, None, DraftOptions(neighbours=0, anyway=True))
    gated = pipeline.gate(studies)
    outputs = backbone.probe_details([study.encoded for study in gated]) or [None] * len(gated)
    reports = pipeline.report(gated) if drafted else [None] * len(gated)
    return [
        {
            "film": study.study.films[0].sha256,
            "gate": study.gate.answer,
            "probabilities": None if output is None else _probabilities_of(output),
            "points": {}
            if output is None
            else {
                finding: highest_point(patch_map, study.study.films[0].pixels.shape)
                for finding, patch_map in output.patch_maps.items()
            },
            "embedding": study.encoded.embedding.tolist(),
            "sentences": None if report is None else _sentences_of(report),
        }
        for study, output, report in zip(gated, outputs, reports, strict=True)
    ]


def _probabilities_of(output: ProbeOutput) -> dict[str, float | None]:
    findings = dict.fromkeys(label.finding for label in output.labels)
    return {finding: probability_of(output, finding) for finding in findings}


def highest_point(patch_map: np.ndarray, shape: tuple[int, int]) -> MapPoint:
    """Where a map (G, G) of a film of a shape (H, W) is highest, in parts of the film.

    The centre of the patch. The map is of the square that the film was fitted into, dark beside it.
    """
    row, column = np.unravel_index(int(np.argmax(patch_map)), patch_map.shape)
    edge, longest = patch_map.shape[0], max(shape)
    across, down = (
        ((place + 0.5) / edge * longest - (longest - side) / 2) / side
        for place, side in ((column, shape[1]), (row, shape[0]))
    )
    return float(across), float(down)


def _sentences_of(report: Report) -> list[dict[str, Any]]:
    return [
        asdict(
            DraftedSentence(
                text=sentence.text,
                section=sentence.section,
                risk=sentence.risk,
                action=sentence.action,
                shown=report.shows(sentence),
                claims=sentence.assertions,
            )
        )
        for sentence in report.sentences
    ]


def _reading_of(row: Mapping[str, Any]) -> FilmReading:
    sentences = row["sentences"]
    return FilmReading(
        film=row["film"],
        gate=row["gate"],
        probabilities=row["probabilities"],
        points={finding: (x, y) for finding, (x, y) in row["points"].items()},
        embedding=np.array(row["embedding"], np.float32),
        sentences=None if sentences is None else tuple(map(_sentence_of, sentences)),
    )


def _sentence_of(row: Mapping[str, Any]) -> DraftedSentence:
    claims = tuple(Assertion(**{**claim, "span": tuple(claim["span"])}) for claim in row["claims"])
    return DraftedSentence(**{**row, "claims": claims})
