"""What each task asks of a case, and what it should answer.

Every draw comes from a generator that the caller seeds, so that an example is the same whenever
it is made. This module knows prompts and texts; it knows no tokenizer and no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import faiss
import numpy as np

from adapters.data.cases import Cases, TrainingCase
from assistant.chest.question_words import BEYOND, NOT_SHOWN, THINGS
from assistant.chest.vocabulary import NORMAL
from assistant.errors import SettingsError
from assistant.labeller.summary import case_summary, summarise
from assistant.prompts import answer_request, report_request
from assistant.vqa.question_bank import Question, ask_about

# How the similar cases of a prompt are drawn: an adapter that always sees good ones copies
# them, one that never sees any does not know what they are for.
PRECEDENT = {"none": 0.25, "few": 0.3, "many": 0.3, "wrong": 0.15}
FEW, MANY, WRONG = (1, 2), (3, 5), (1, 5)  # how many, both ends included
NEAREST = 8  # among which few and many are drawn
TOLD_OF_PRIOR = 0.3  # share of the other questions that are told of the prior film too
STYLELESS = 0.25  # share of wishes that name no site, so that one can paint without
MOST_QUESTIONS = 12  # about one film in one example
UNTOLD = 0.1  # share of examples without the probe's reading, which must be got from the film


def has_task(case: TrainingCase, task: str) -> bool:
    """Whether a case can teach a task."""
    if task == "report":
        return bool(case.report)
    if task == "answer":
        told = (a for a in case.claims if a.polarity != "uncertain")
        return case.complete or any(a.finding != NORMAL for a in told)
    return bool(case.impression or case.findings or case.caption)


def cases_for_task(cases: Cases, task: str) -> Cases:
    """The cases that can teach a task; SettingsError where none can on one side."""
    sets = []
    for part in (cases.train, cases.validation):
        kept = [i for i, case in enumerate(part.cases) if has_task(case, task)]
        if not kept:
            raise SettingsError(
                f"On one side of the split no case has what the task {task!r} learns from; "
                "add films with reports or labels, of more patients."
            )
        sets.append(part.of(kept))
    return Cases(sets[0], sets[1], cases.sha256, cases.description)


class Precedents:
    """The similar cases of each film: training cases of other patients, by their embeddings."""

    def __init__(self, cases: Sequence[TrainingCase], embeddings: np.ndarray) -> None:
        """`embeddings` is float32 (N, D), unit length, in the order of `cases`."""
        self._patients = np.array([case.patient for case in cases])
        self._summaries = [case_summary(case.report) or _of_claims(case) for case in cases]
        self._known = np.flatnonzero([bool(summary) for summary in self._summaries])
        index = faiss.IndexFlatIP(embeddings.shape[1])
        index.add(np.ascontiguousarray(embeddings[self._known], np.float32))
        self._index = index

    def nearest(self, patients: Sequence[str], embeddings: np.ndarray) -> np.ndarray:
        """For each film the most similar cases of other patients: int (M, NEAREST), -1 is none."""
        out = np.full((len(embeddings), NEAREST), -1, np.int64)
        wanted = min(NEAREST + 24, len(self._known))  # some may be the patient's own
        if not wanted or not len(embeddings):
            return out
        _, found = self._index.search(np.ascontiguousarray(embeddings, np.float32), wanted)
        for row, (patient, near) in enumerate(zip(patients, found, strict=True)):
            cases = self._known[near[near >= 0]]
            kept = cases[self._patients[cases] != patient][:NEAREST]
            out[row, : len(kept)] = kept
        return out

    def draw(self, rng: np.random.Generator, patient: str, near: np.ndarray) -> tuple[str, ...]:
        """Summaries for a prompt in training: none, few, many, or those of any other films."""
        way = str(rng.choice(list(PRECEDENT), p=list(PRECEDENT.values())))
        if way == "none":
            return ()
        low, high = {"few": FEW, "many": MANY, "wrong": WRONG}[way]
        count = int(rng.integers(low, high + 1))
        if way == "wrong":
            others = self._known[self._patients[self._known] != patient]
            chosen = rng.permutation(others)[:count]
        else:
            near = near[near >= 0]
            chosen = near[np.sort(rng.permutation(len(near))[:count])]
        return self.summaries(chosen)

    def summaries(self, cases: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """The summaries of cases, in their order; -1 is none."""
        return tuple(self._summaries[case] for case in cases if case >= 0)


def _of_claims(case: TrainingCase) -> str:
    return summarise(case.claims) if case.claims or case.complete else ""


def drop_reading(case: TrainingCase, rng: np.random.Generator) -> TrainingCase:
    """The case, now and then without its reading."""
    return replace(case, reading="") if rng.random() < UNTOLD else case


def report_pair(case: TrainingCase, similar: Sequence[str]) -> tuple[str, str]:
    """The request for a report and the report, as it stands after the assistant's mark."""
    return report_request(case.indication, similar, case.reading), f" {case.report}"


def questions_of(case: TrainingCase, rng: np.random.Generator) -> list[Question]:
    """Questions about a film, in the words of training."""
    return ask_about(rng, case.claims, case.prior, "train", dict(case.tube), complete=case.complete)


def answer_pairs(case: TrainingCase, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Requests and their answers about one film: one to twelve."""
    told = summarise(case.prior) if case.prior is not None else ""
    pairs = []
    for asked in questions_of(case, rng)[:MOST_QUESTIONS] or [_beyond(rng)]:
        prior = asked.prior or (told if rng.random() < TOLD_OF_PRIOR else "")
        pairs.append((answer_request(asked.question, prior, case.reading), f" {asked.answer}"))
    return pairs


def _beyond(rng: np.random.Generator) -> Question:
    """What no film shows, which can be asked of any."""
    thing = THINGS[int(rng.integers(len(THINGS)))]
    return Question("not_shown", BEYOND[0].format(thing=thing), NOT_SHOWN.format(thing=thing))


def painting_prompt(case: TrainingCase, rng: np.random.Generator) -> tuple[str, str]:
    """What a film is painted from, the report's parts or the caption, and mostly its site."""
    both = f"{case.findings} {case.impression}".strip()
    options = (case.impression, case.impression, case.findings, both, case.caption)
    known = [text for text in options if text]
    text = known[int(rng.integers(len(known)))]
    return text, "" if rng.random() < STYLELESS else case.site
