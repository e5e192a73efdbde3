"""From painted pixels to a `Painting`: its checks, its mark, its files and its words.

This module paints nothing and judges nothing itself: it joins the checks and puts the results
into the forms that the command line, the chat and a file need.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal, Protocol

import numpy as np

from assistant.backbones.protocols import Encoder
from assistant.errors import SettingsError
from assistant.intake.png import png
from assistant.intake.synthetic_mark import draw_mark
from assistant.labeller.sentences import parse_sentences
from assistant.painting.copy_check import LibraryFilms, check_copies
from assistant.painting.readback import FindingProbe, name_of_finding, read_back
from assistant.types import Film, Painting, PaintRequest, Provenance
from retrieval import Library

Format = Literal["png", "dicom"]
SUFFIXES: dict[Format, str] = {"png": ".png", "dicom": ".dcm"}
LONGEST_REPORT = 100_000  # characters of a report's file
DRAFT = "wetread.draft/"  # how the schema of a draft begins


class PaintingChecker(Encoder, FindingProbe, Protocol):
    """What the checks need of a backbone."""


def check_and_mark(
    checker: PaintingChecker,
    library: Library | None,
    request: PaintRequest,
    *,
    painted: Sequence[np.ndarray],
    provenance: Provenance,
    mark: bool = True,
) -> tuple[Painting, ...]:
    """Check films (H, W) in [0, 1] as they were painted, then mark them as synthetic.

    `mark=False` leaves the visible mark out; whatever is written says "synthetic" all the same.
    """
    films = [_film(pixels) for pixels in painted]
    probed = checker.probe_findings(films)
    findings = [None] * len(films) if probed is None else probed
    references = [LibraryFilms(library)] if library is not None else []
    copies = check_copies(checker, references, films)
    paintings = []
    for number, (film, found, copy) in enumerate(zip(films, findings, copies, strict=True)):
        pixels = draw_mark(film.pixels) if mark else film.pixels
        pixels.setflags(write=False)
        readback = read_back(request.prompt, found)
        paintings.append(Painting(pixels, request, provenance, number, readback, copy))
    return tuple(paintings)


def _film(pixels: np.ndarray) -> Film:
    return Film(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), flags=("synthetic",))


def file_of(painting: Painting, form: Format = "png") -> bytes:
    """The painting as a PNG or DICOM file, which says of itself that it is synthetic."""
    if form == "png":
        return png(painting.pixels, synthetic=True)
    if form == "dicom":
        from assistant.painting.dicom_export import (
            painting_dicom,  # pydicom only where it is asked for
        )

        return painting_dicom(painting)
    raise SettingsError(f"A painting cannot be written as {form!r}; say png or dicom.")


def painting_dict(painting: Painting) -> dict[str, Any]:
    """A painting without its pixels as plain values, as docs/painting.md describes them."""
    request, provenance = painting.request, asdict(painting.provenance)
    provenance["versions"] = dict(painting.provenance.versions)
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
        "provenance": provenance,
    }


def caption(painting: Painting) -> str:
    """What the checks found, in a line or two of plain words."""
    return f"{_read_words(painting)} {_copy_words(painting)}"


def _read_words(painting: Painting) -> str:
    read = painting.readback
    if not read.asked and read.verdict == "unchecked":
        return f"Not read back: {_lower(read.reason)}"
    asked = []
    for one in read.asked:
        if one.seen is None:
            asked.append(f"{name_of_finding(one)}: not checked")
        else:
            seen = "seen" if one.seen else "not seen"
            asked.append(f"{name_of_finding(one)}: {seen} ({one.probability:.2f})")
    words = f"Asked: {'; '.join(asked) or 'no abnormal finding'}."
    if read.verdict == "unchecked":
        words += f" Not checked: {_lower(read.reason)}"
    if read.beside:
        names = ", ".join(f"{name_of_finding(s)} ({s.probability:.2f})" for s in read.beside)
        words += f" Not asked for, but seen: {names}."
    elif not read.asked:
        words += " None seen."
    return words


def _copy_words(painting: Painting) -> str:
    copy = painting.copy
    if copy.similarity is None:
        return f"Not compared: {_lower(copy.reason)}"
    verdict = "NEARLY A COPY of it" if copy.verdict == "copy" else "not a copy"
    return f"Nearest {copy.shelf} film {copy.similarity:.2f} alike, {verdict}."


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def prompt_of_report(text: str) -> str:
    """What a painting should show so that a report would fit it.

    Takes a report in plain text, or a draft in the JSON form. Only sentences that claim a
    finding are kept: what else a report says, names among it, cannot be seen in a film. Raises
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
        draft = json.loads(text)
        if not str(draft["schema"]).startswith(DRAFT):
            raise KeyError("schema")
        kept = [s for s in draft["sentences"] if s.get("decision") != "rejected"]
        return "\n".join(str(sentence["text"]) for sentence in kept)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SettingsError(
            "The report is JSON but no draft; give what `wetread draft --json` wrote, or text."
        ) from None
