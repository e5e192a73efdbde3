"""Makes one chat turn of a study: the films, the earlier films, and the request."""

from __future__ import annotations

from assistant.backbones.protocols import Encoded
from assistant.labeller.summary import case_summary
from assistant.prompts import film_messages, study_messages
from assistant.types import Film

MAX_FILMS = 4  # of a study, and as many of the earlier study: each costs hundreds of tokens


def study_turn(
    encoded: Encoded, request: str, *, whole_study: bool
) -> tuple[list[dict], list[Film]]:
    """One user turn in the form that chat templates take, and the films of its image marks.

    With `whole_study` it holds the study's further films and the earlier study, whose report is
    given as a summary of its assertions; else only the first film, as adapters were trained.
    """
    study = encoded.study
    if not whole_study:
        return film_messages(request, 1), [study.films[0]]
    films = list(study.films[:MAX_FILMS])
    prior_films = list(study.prior.films[:MAX_FILMS]) if study.prior else []
    report = study.prior_report or (study.prior.prior_report if study.prior else "")
    messages = study_messages(request, len(films), len(prior_films), case_summary(report))
    return messages, prior_films + films
