"""Each task's requests about a case, and the answers to learn.

Every random draw uses a generator that the caller seeds, so that an example is always the same.
This module knows prompts and texts; it knows no tokenizer and no model.
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

# How the similar cases of a prompt are drawn. An adapter that always gets good ones copies them,
# and one that never gets any does not learn to use them.
PRECEDENT_SHARES = {"none": 0.25, "few": 0.3, "many": 0.3, "wrong": 0.15}
FEW, MANY, WRONG = (1, 2), (3, 5), (1, 5)  # how many, both ends included
NEAREST = 8  # neighbours from which few and many are drawn
PRIOR_SHARE = 0.3  # of the questions that do not need the prior film: those that get it anyway
NO_SITE_SHARE = 0.25  # of painting prompts without a site, so that a prompt may leave it out
MOST_QUESTIONS = 12  # about one film in one example
NO_READING_SHARE = 0.1  # of examples without the probe's reading: only the film tells


def has_task(case: TrainingCase, task: str) -> bool:
    """Whether a task can be learnt from a case."""
    if task == "report":
        return bool(case.report)
    if task == "answer":
        certain = (a for a in case.claims if a.polarity != "uncertain")
        return case.complete or any(a.finding != NORMAL for a in certain)
    return bool(case.impression or case.findings or case.caption)


def select_for_task(cases: Cases, task: str) -> Cases:
    """Select the cases from which a task can be learnt; SettingsError if a split has none."""
    sets = []
    for part in (cases.train, cases.validation):
        indices = [i for i, case in enumerate(part.cases) if has_task(case, task)]
        if not indices:
            raise SettingsError(
                f"On one side of the split no case has what the task {task!r} learns from; "
                "add films with reports or labels, of more patients."
            )
        sets.append(part.select(indices))
    drawn = tuple(case for case in cases.drawn if has_task(case, task))
    return replace(cases, train=sets[0], validation=sets[1], drawn=drawn)


class Precedents:
    """Finds a film's similar cases: training cases of other patients with close embeddings."""

    def __init__(self, cases: Sequence[TrainingCase], embeddings: np.ndarray) -> None:
        """`embeddings` is float32 (N, D), unit length, in the order of `cases`."""
        self._patients = np.array([case.patient for case in cases])
        self._summaries = [case_summary(case.report) or _summarise_claims(case) for case in cases]
        self._usable = np.flatnonzero([bool(summary) for summary in self._summaries])
        index = faiss.IndexFlatIP(embeddings.shape[1])
        index.add(np.ascontiguousarray(embeddings[self._usable], np.float32))
        self._index = index

    def find_nearest(self, patients: Sequence[str], embeddings: np.ndarray) -> np.ndarray:
        """The most similar cases of other patients for each film: int (M, NEAREST), -1 is none."""
        out = np.full((len(embeddings), NEAREST), -1, np.int64)
        count = min(NEAREST + 24, len(self._usable))  # more, as some may be the same patient's
        if not count or not len(embeddings):
            return out
        _, hits = self._index.search(np.ascontiguousarray(embeddings, np.float32), count)
        for row, (patient, neighbours) in enumerate(zip(patients, hits, strict=True)):
            cases = self._usable[neighbours[neighbours >= 0]]
            others = cases[self._patients[cases] != patient][:NEAREST]
            out[row, : len(others)] = others
        return out

    def draw(
        self, rng: np.random.Generator, patient: str, neighbours: np.ndarray
    ) -> tuple[str, ...]:
        """Draw summaries for a training prompt: none, few, many, or those of unrelated films."""
        kind = str(rng.choice(list(PRECEDENT_SHARES), p=list(PRECEDENT_SHARES.values())))
        if kind == "none":
            return ()
        low, high = {"few": FEW, "many": MANY, "wrong": WRONG}[kind]
        count = int(rng.integers(low, high + 1))
        if kind == "wrong":
            others = self._usable[self._patients[self._usable] != patient]
            chosen = rng.permutation(others)[:count]
        else:
            neighbours = neighbours[neighbours >= 0]
            chosen = neighbours[np.sort(rng.permutation(len(neighbours))[:count])]
        return self.summaries_of(chosen)

    def summaries_of(self, cases: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """The summaries of cases, in order; an index of -1 is skipped."""
        return tuple(self._summaries[case] for case in cases if case >= 0)


def _summarise_claims(case: TrainingCase) -> str:
    return summarise(case.claims) if case.claims or case.complete else ""


def drop_reading(case: TrainingCase, rng: np.random.Generator) -> TrainingCase:
    """The case, sometimes without its reading."""
    return replace(case, reading="") if rng.random() < NO_READING_SHARE else case


def report_pair_of(case: TrainingCase, similar: Sequence[str]) -> tuple[str, str]:
    """The request for a report and the report, as it follows the assistant's mark."""
    return report_request(case.indication, similar, case.reading), f" {case.report}"


def questions_of(case: TrainingCase, rng: np.random.Generator) -> list[Question]:
    """Questions about a film, in the wording for training."""
    return ask_about(rng, case.claims, case.prior, "train", dict(case.tube), complete=case.complete)


def answer_pairs_of(case: TrainingCase, rng: np.random.Generator) -> list[tuple[str, str]]:
    """One to twelve requests about one film, with their answers."""
    prior_summary = summarise(case.prior) if case.prior is not None else ""
    pairs = []
    for question in questions_of(case, rng)[:MOST_QUESTIONS] or [_unanswerable_question(rng)]:
        prior = question.prior or (prior_summary if rng.random() < PRIOR_SHARE else "")
        pairs.append(
            (answer_request(question.question, prior, case.reading), f" {question.answer}")
        )
    return pairs


def _unanswerable_question(rng: np.random.Generator) -> Question:
    """A question that no film can answer, so that it fits every film."""
    thing = THINGS[int(rng.integers(len(THINGS)))]
    return Question("not_shown", BEYOND[0].format(thing=thing), NOT_SHOWN.format(thing=thing))


def draw_painting_prompt(case: TrainingCase, rng: np.random.Generator) -> tuple[str, str]:
    """Draw the text to paint a film from, a part of its report or its caption, and mostly its site.

    The site is empty in the share `NO_SITE_SHARE`.
    """
    both = f"{case.findings} {case.impression}".strip()
    options = (case.impression, case.impression, case.findings, both, case.caption)
    texts = [text for text in options if text]
    text = texts[int(rng.integers(len(texts)))]
    return text, "" if rng.random() < NO_SITE_SHARE else case.site
