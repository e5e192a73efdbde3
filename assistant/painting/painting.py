"""From painted pixels to a `Painting`: its checks, its mark, its files and its caption.

This module neither paints nor judges: it runs the checks and formats their results for the
command line, the chat and files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal, Protocol

import numpy as np

from assistant.backbones.protocols import Encoder
from assistant.errors import SettingsError
from assistant.export.draft_json import provenance_dict
from assistant.intake.png import png
from assistant.intake.synthetic_mark import draw_mark
from assistant.labeller.sentences import parse_sentences
from assistant.painting.copy_check import LibraryFilms, check_copies
from assistant.painting.readback import FindingProbe, name_of_finding, read_back
from assistant.parsing import parse_json
from assistant.types import Film, Painting, PaintRequest, Provenance
from retrieval import Library

Format = Literal["png", "dicom"]
SUFFIXES: dict[Format, str] = {"png": ".png", "dicom": ".dcm"}
LONGEST_REPORT = 100_000  # characters of a report's file
DRAFT_SCHEMA = "wetread.draft/"  # how the schema of a draft begins


class PaintingChecker(Encoder, FindingProbe, Protocol):
    """What the checks need of a backbone."""


def check_and_mark(
    checker: PaintingChecker,
    library: Library | None,
    request: PaintRequest,
    *,
    pictures: Sequence[np.ndarray],
    provenance: Provenance,
    mark: bool = True,
) -> tuple[Painting, ...]:
    """Check painted `pictures`, each (H, W) in [0, 1], then mark them as synthetic.

    `mark=False` leaves the visible mark out; files still say "synthetic".
    """
    films = [_film_of(pixels) for pixels in pictures]
    probe_findings = checker.probe_findings(films)
    findings = [None] * len(films) if probe_findings is None else probe_findings
    references = [LibraryFilms(library)] if library is not None else []
    copies = check_copies(checker, references, films)
    paintings = []
    for number, (film, labels, copy) in enumerate(zip(films, findings, copies, strict=True)):
        pixels = draw_mark(film.pixels) if mark else film.pixels
        pixels.setflags(write=False)
        readback = read_back(request.prompt, labels)
        paintings.append(Painting(pixels, request, provenance, number, readback, copy))
    return tuple(paintings)


def _film_of(pixels: np.ndarray) -> Film:
    return Film(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), flags=("synthetic",))


def file_of(painting: Painting, form: Format = "png") -> bytes:
    """The painting as a PNG or DICOM file whose metadata says that it is synthetic."""
    if form == "png":
        return png(painting.pixels, synthetic=True)
    if form == "dicom":
        # Loads pydicom only when it is needed.
        from assistant.painting.dicom_export import painting_dicom

        return painting_dicom(painting)
    raise SettingsError(f"A painting cannot be written as {form!r}; say png or dicom.")


def painting_dict(painting: Painting) -> dict[str, Any]:
    """A painting without its pixels as plain values, as docs/painting.md describes them."""
    request = painting.request
    return {
        "prompt": painting.prompt,
        "settings": {
            "guidance": request.guidance,
            "temperature": request.temperature,
            "site": request.site,
            "count": request.count,
            "number": painting.number,
        },
        "readback": asdict(painting.readback),
        "copy": asdict(painting.copy),
        "provenance": provenance_dict(painting.provenance),
    }


def caption_of(painting: Painting) -> str:
    """The results of the checks, in one or two lines."""
    return f"{_describe_readback(painting)} {_describe_copy(painting)}"


def _describe_readback(painting: Painting) -> str:
    readback = painting.readback
    if not readback.asked and readback.verdict == "unchecked":
        return f"Not read back: {_lower_first(readback.reason)}"
    requested = []
    for finding in readback.asked:
        if finding.seen is None:
            requested.append(f"{name_of_finding(finding)}: not checked")
        else:
            result = "seen" if finding.seen else "not seen"
            requested.append(f"{name_of_finding(finding)}: {result} ({finding.probability:.2f})")
    words = f"Asked: {'; '.join(requested) or 'no abnormal finding'}."
    if readback.verdict == "unchecked":
        words += f" Not checked: {_lower_first(readback.reason)}"
    if readback.beside:
        names = ", ".join(f"{name_of_finding(s)} ({s.probability:.2f})" for s in readback.beside)
        words += f" Not asked for, but seen: {names}."
    elif not readback.asked:
        words += " None seen."
    return words


def _describe_copy(painting: Painting) -> str:
    copy = painting.copy
    if copy.similarity is None:
        return f"Not compared: {_lower_first(copy.reason)}"
    verdict = "NEARLY A COPY of it" if copy.verdict == "copy" else "not a copy"
    return f"Nearest {copy.shelf} film {copy.similarity:.2f} alike, {verdict}."


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def prompt_of_report(text: str) -> str:
    """The prompt of a painting that a report would fit.

    Takes a report in plain text, or a draft in the JSON form. Only sentences that claim a
    finding are kept: the rest of a report, names among it, cannot be shown on a film. Raises
    SettingsError where nothing is left, or the text has over 100,000 characters.
    """
    if len(text) > LONGEST_REPORT:
        raise SettingsError(f"The report has over {LONGEST_REPORT} characters; give one report.")
    sentences = parse_sentences(_report_text(text))
    claims = dict.fromkeys(" ".join(s.text.split()) for s in sentences if s.assertions)
    if not claims:
        raise SettingsError("The report names no finding that could be painted; give another.")
    return " ".join(claims)


def _report_text(text: str) -> str:
    """The report in a text, or in a draft's JSON."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        draft = parse_json(text)
        if not str(draft["schema"]).startswith(DRAFT_SCHEMA):
            raise KeyError("schema")
        sentences = [s for s in draft["sentences"] if s.get("decision") != "rejected"]
        return "\n".join(str(sentence["text"]) for sentence in sentences)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SettingsError(
            "The report is JSON but no draft; give what `wetread draft --json` wrote, or text."
        ) from None
