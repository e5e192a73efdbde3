"""A study as one chat turn: the films, the earlier ones, and the request."""

from __future__ import annotations

from assistant.backbones.protocols import Encoded
from assistant.labeller.summary import case_summary
from assistant.prompts import film_messages, study_messages
from assistant.types import Film

FILMS_MOST = 4  # of a study, and as many of the earlier one: each costs hundreds of tokens


def study_turn(encoded: Encoded, request: str, *, whole: bool) -> tuple[list[dict], list[Film]]:
    """One user turn in the form that chat templates take, and the films of its image marks.

    Where `whole`, it tells of the study's further films and of the earlier study, whose report is
    given as what it asserts; else of the film alone, as adapters have learnt it.
    """
    study = encoded.study
    if not whole:
        return film_messages(request, 1), [study.films[0]]
    films = list(study.films[:FILMS_MOST])
    before = list(study.prior.films[:FILMS_MOST]) if study.prior else []
    report = study.prior_report or (study.prior.prior_report if study.prior else "")
    told = study_messages(request, len(films), len(before), case_summary(report))
    return told, before + films
