"""Risk, verdict, gate and review in words: what every form of a draft shows alike."""

from __future__ import annotations

from assistant.types import Author, Film, GateAnswer, Sentence

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
    """What was done to put a film right, in a sentence; empty where nothing was."""
    done = [flag.partition(": ")[2] for flag in film.flags if flag.startswith("corrected: ")]
    return f"The film was put right before it was read: {', '.join(done)}." if done else ""


def risk_words(sentence: Sentence, author: Author = "backbone") -> str:
    """What is to be made of a sentence: "supported, risk 1 %, kept".

    Where a person wrote or decided, what the risk would do is advice: "should not stay".
    """
    if sentence.risk is None or sentence.action is None:
        return sentence.verdict
    done = ADVICE if author == "person" or sentence.decision else ACTIONS
    return f"{sentence.verdict}, risk {percent(sentence.risk)}, {done[sentence.action]}"


def review_words(sentence: Sentence, author: Author = "backbone") -> str:
    """What a person did with a sentence: "accepted; edited; the backbone wrote: ..."."""
    done = [sentence.decision] if sentence.decision else []
    if sentence.written:
        wrote = "the backbone wrote" if author == "backbone" else "it was"
        done += ["edited", f"{wrote}: {' '.join(sentence.written.split())}"]
    return "; ".join(done)


def percent(risk: float) -> str:
    """A risk in whole percents; none is so small that it is told as nothing."""
    return "under 1 %" if risk < 0.01 else f"{risk * 100:.0f} %"


def evidence_words(sentence: Sentence, neighbours: int) -> list[str]:
    """What speaks for and against a sentence, each in a few words."""
    told = [e.detail for e in sentence.evidence if e.kind != "neighbour"]
    if neighbours and sentence.assertions:
        told.append(f"{len(sentence.citations)} of {neighbours} similar cases assert the same.")
    return told


def reasons_of(sentence: Sentence, neighbours: int) -> list[str]:
    """Why a sentence failed, where it did, and its evidence in words."""
    failed = sentence.verdict in ("contradicted", "unsupported") and sentence.reason
    return [sentence.reason] * bool(failed) + evidence_words(sentence, neighbours)
