"""Risk, verdict, gate and review in words, alike in every form of a draft."""

from __future__ import annotations

from assistant.intake.notes import notes_of
from assistant.types import Author, Film, FilmUse, GateAnswer, Report, Sentence

NOTICE = "Draft by research software, not for clinical use."
CHECK_NOTICE = "Check by research software, not for clinical use."
ANSWER_NOTICE = "Answer by research software, not for clinical use."
NOTICES: dict[Author, str] = {"backbone": NOTICE, "person": CHECK_NOTICE}
GATE_HEADS: dict[GateAnswer, str] = {
    "pass": "Within what it knows",
    "warn": "Warning",
    "refuse": "Refused",
    "unchecked": "Not checked",
}
TITLES: dict[Author, str] = {"backbone": "Draft report", "person": "Check of a report"}
ACTIONS = {"keep": "kept", "flag": "check this", "withhold": "withheld"}
ADVICE = {"keep": "may stay", "flag": "check this", "withhold": "should not stay"}


def correction_words(film: Film) -> str:
    """A sentence about how the film was corrected; empty where it was not."""
    steps = [flag.partition(": ")[2] for flag in film.flags if flag.startswith("corrected: ")]
    return f"The film was put right before it was read: {', '.join(steps)}." if steps else ""


def film_notes(film: Film) -> tuple[str, ...]:
    """Sentences on what was done to a film, and on what its file says of it: text in it, say."""
    correction = correction_words(film)
    return (*([correction] if correction else []), *notes_of(film))


def study_notes(report: Report) -> tuple[str, ...]:
    """A sentence on each film of the study, or file of its folder, that was not read."""
    return (*report.study.notes, *(use.note for use in report.provenance.films if use.note))


def use_words(use: FilmUse) -> str:
    """A film of a study in a few words: "lateral 0123456789ab, read"."""
    name = " ".join(word for word in ("prior" * use.prior, use.kind or "film") if word)
    view = f" ({use.view})" if use.view else ""
    return f"{name}{view} {use.sha256[:12]}, {'read' if use.read else 'not read'}"


def risk_words(sentence: Sentence, author: Author = "backbone") -> str:
    """Verdict, risk and action of a sentence: "supported, risk 1 %, kept".

    Where a person wrote or decided, the action is only advice: "should not stay".
    """
    if sentence.risk is None or sentence.action is None:
        return sentence.verdict
    actions = ADVICE if author == "person" or sentence.decision else ACTIONS
    return f"{sentence.verdict}, risk {percent(sentence.risk)}, {actions[sentence.action]}"


def review_words(sentence: Sentence, author: Author = "backbone") -> str:
    """What a person did with a sentence: "accepted; edited; the backbone wrote: ..."."""
    parts = [sentence.decision] if sentence.decision else []
    if sentence.written:
        label = "the backbone wrote" if author == "backbone" else "it was"
        parts += ["edited", f"{label}: {' '.join(sentence.written.split())}"]
    return "; ".join(parts)


def percent(risk: float) -> str:
    """A risk in whole per cent; the smallest is "under 1 %", never 0."""
    return "under 1 %" if risk < 0.01 else f"{risk * 100:.0f} %"


def evidence_words(sentence: Sentence, neighbours: int) -> list[str]:
    """The evidence for and against a sentence, each piece in a few words."""
    lines = [e.detail for e in sentence.evidence if e.kind != "neighbour"]
    if neighbours and sentence.assertions:
        lines.append(f"{len(sentence.citations)} of {neighbours} similar cases assert the same.")
    return lines


def reasons_of(sentence: Sentence, neighbours: int) -> list[str]:
    """The reason where a sentence failed, and its evidence in words."""
    failed = sentence.verdict in ("contradicted", "unsupported") and sentence.reason
    return [sentence.reason] * bool(failed) + evidence_words(sentence, neighbours)
