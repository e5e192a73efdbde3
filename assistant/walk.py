"""The one walk from film to report, and the short jobs beside it.

`Assistant` holds the parts and keeps nothing between two studies. The command line, the chat,
the batch run and the evaluation all call these methods; there is no second inference path.
"""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from assistant.backbones.base import Encoded, Sampling, Written
from assistant.backbones.janus import JanusBackbone
from assistant.backbones.load import load_backbone
from assistant.errors import SettingsError
from assistant.evidence import UNCHECKED, from_neighbours
from assistant.gate import judge_film
from assistant.home import library_folder
from assistant.intake import read_film
from assistant.prompts import paint_request, report_request
from assistant.reports import ParsedSentence, is_comparison, parse, withhold_numbers
from assistant.types import Film, Neighbour, Painting, Provenance, Report, Sentence, Study
from retrieval import Case, Library

PACKAGES = ("wetread", "torch", "transformers")
Source = str | os.PathLike | Film | Study


class Assistant:
    """Drafts reports, paints films and finds similar cases with one backbone and one library."""

    def __init__(self, backbone: JanusBackbone, library: Library | None = None) -> None:
        """Put the parts together; `Assistant.load` finds them by name."""
        self.backbone = backbone
        self.library = library

    @classmethod
    def load(
        cls, backbone: str | Path = "mini", library: str | os.PathLike | None = None
    ) -> Assistant:
        """Load a backbone and open the library of cases, by default the user's own.

        Raises BackboneError or LibraryError with what to do.
        """
        loaded = load_backbone(backbone)
        folder = Path(library) if library is not None else library_folder()
        return cls(loaded, Library.open(folder, encoder=loaded.encoder_id, dim=loaded.dim))

    def close(self) -> None:
        """Close the library; the assistant is done with."""
        if self.library:
            self.library.close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def draft(
        self,
        source: Source,
        *,
        indication: str = "",
        neighbours: int = 5,
        seed: int = 0,
        exclude: Sequence[str] = (),
    ) -> Report:
        """Draft the report of one film or study.

        `neighbours` is how many similar cases to use at most, 0 for none; cases named in
        `exclude`, and the film's own case, are never among them. The same film, versions and
        seed give the same report, but for its time. Raises IntakeError for a film that cannot
        be read.
        """
        study = as_study(source, indication)
        return self._draft_batch([study], neighbours, seed, exclude)[0]

    def draft_many(
        self,
        sources: Iterable[Source],
        *,
        neighbours: int = 5,
        seed: int = 0,
        exclude: Sequence[str] = (),
        batch: int = 8,
    ) -> Iterator[Report]:
        """Draft studies in batches, one report for each source, in order.

        The options are those of `draft`. Raises IntakeError at the first film that cannot be
        read; the reports before it have been given by then.
        """
        waiting: list[Study] = []
        for source in sources:
            waiting.append(as_study(source))
            if len(waiting) == batch:
                yield from self._draft_batch(waiting, neighbours, seed, exclude)
                waiting = []
        if waiting:
            yield from self._draft_batch(waiting, neighbours, seed, exclude)

    def _draft_batch(
        self, studies: Sequence[Study], neighbours: int, seed: int, exclude: Sequence[str]
    ) -> list[Report]:
        if neighbours < 0:
            raise SettingsError(f"neighbours = {neighbours} must be 0 or more.")
        encoded = self.backbone.encode([study.films[0] for study in studies])
        requests = [report_request(study.indication) for study in studies]
        written = self.backbone.write(encoded, requests, Sampling(seed=seed))
        reports = []
        for study, code, request, text in zip(studies, encoded, requests, written, strict=True):
            found = self._near(code, study.films[0], neighbours, exclude)
            cited = tuple(as_neighbour(case, similarity) for case, similarity in found)
            sentences, removed = judge_sentences(text, cited, has_prior=bool(study.prior_report))
            reports.append(
                Report(
                    study=study,
                    sentences=sentences,
                    neighbours=cited,
                    gate=judge_film(
                        self.backbone.reference, code.profile, self.backbone.card["knows"]
                    ),
                    provenance=self._provenance(request, seed),
                    removed=removed,
                )
            )
        return reports

    def similar(
        self, source: Source, k: int = 5, *, exclude: Sequence[str] = ()
    ) -> tuple[Neighbour, ...]:
        """The library's cases most like a film, the most similar first; never the film itself."""
        film = as_study(source).films[0]
        found = self._near(self.backbone.encode([film])[0], film, k, exclude)
        return tuple(as_neighbour(case, similarity) for case, similarity in found)

    def paint(
        self,
        prompt: str,
        *,
        seed: int = 0,
        count: int = 1,
        guidance: float = 3.0,
        temperature: float = 0.9,
    ) -> tuple[Painting, ...]:
        """Paint synthetic films that show what the prompt says.

        `count` is 1 to 16; `guidance` 1 or more, higher follows the prompt more closely. The
        same prompt, seed and settings give the same films. Raises SettingsError on bad values.
        """
        if not prompt.strip():
            raise SettingsError("There is nothing to paint: say what the film should show.")
        if not 1 <= count <= 16 or guidance < 1 or temperature < 0:
            raise SettingsError(
                f"count = {count} must be 1 to 16, guidance = {guidance} at least 1 and "
                f"temperature = {temperature} at least 0."
            )
        painted = self.backbone.paint(
            prompt, count=count, seed=seed, guidance=guidance, temperature=temperature
        )
        provenance = self._provenance(paint_request(prompt), seed)
        for pixels in painted:
            pixels.setflags(write=False)
        return tuple(Painting(pixels, prompt, provenance) for pixels in painted)

    def _near(
        self, encoded: Encoded, film: Film, k: int, exclude: Sequence[str]
    ) -> list[tuple[Case, float]]:
        if self.library is None or k == 0:
            return []
        own = film.sha256[:16]
        hits = self.library.search(encoded.embedding, k + len(exclude), exclude_case=own)
        kept = [(h.case, h.similarity) for h in hits if h.case.id not in exclude]
        return kept[:k]

    def _provenance(self, request: str, seed: int) -> Provenance:
        identity = self.backbone.identity
        return Provenance(
            backbone=identity.name,
            revision=identity.revision,
            library=self.library.snapshot_id() if self.library else "none",
            prompt_sha256=hashlib.sha256(request.encode()).hexdigest(),
            seed=seed,
            versions=tuple((name, _version(name)) for name in PACKAGES),
            time=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            adapter=identity.adapter,
        )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "source"


def as_study(source: Source, indication: str = "") -> Study:
    """A study from a path, a film or a study; the path's film is read here."""
    if isinstance(source, Study):
        return source
    film = source if isinstance(source, Film) else read_film(source)
    return Study((film,), indication)


def as_neighbour(case: Case, similarity: float) -> Neighbour:
    """A case of the library as a draft cites it: without its patient."""
    return Neighbour(case.id, similarity, case.report, case.labels, case.source)


def judge_sentences(
    written: Written, neighbours: Sequence[Neighbour], *, has_prior: bool
) -> tuple[tuple[Sentence, ...], tuple[tuple[str, str], ...]]:
    """Sentences with their evidence, and those removed, each with the reason.

    Comparisons without a prior are removed, and numbers with a unit that nothing computed
    from the film are withheld (rules 2 and 3 of the rules of evidence).
    """
    kept: list[Sentence] = []
    removed: list[tuple[str, str]] = []
    for parsed in parse(written.text):
        if not has_prior and is_comparison(parsed.text):
            removed.append((parsed.text, "It compares with an earlier film, and none was given."))
            continue
        text, withheld = withhold_numbers(parsed.text)
        if withheld:
            removed.append((parsed.text, "Its number was not computed from the film."))
        evidence, citations = from_neighbours(parsed.assertions, neighbours)
        kept.append(
            Sentence(
                text=text,
                section=parsed.section,
                assertions=parsed.assertions,
                evidence=evidence,
                citations=citations,
                reason=UNCHECKED,
                log_probability=_mean_log(written, parsed),
            )
        )
    return tuple(kept), tuple(removed)


def _mean_log(written: Written, parsed: ParsedSentence) -> float | None:
    """Mean log-probability of the tokens that wrote a sentence."""
    logs = [
        log
        for (start, end), log in zip(written.spans, written.log_probabilities, strict=True)
        if start < parsed.end and end > parsed.start
    ]
    return round(float(np.mean(logs)), 5) if logs else None
