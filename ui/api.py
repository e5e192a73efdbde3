"""The named endpoints that a program may call; all other events of the page are private.

They take and return what the command line does, through hidden widgets: gradio then checks that
an upload is one of its own, so that no path of the server can be named.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from assistant.drafting.study_files import MOST_FILMS
from assistant.errors import SettingsError, WetreadError
from assistant.export.draft_json import answer_dict, draft_dict, neighbour_dict
from assistant.intake import read_film
from assistant.painting.painting import file_of, painting_dict
from assistant.types import LONGEST_PROMPT, Film
from ui.events import AT_ONCE, paths_of
from ui.jobs import in_model_thread
from ui.paint_view import SITES
from ui.web.uploads import delete_upload

MOST_SEED = 2**31 - 1
MOST_SIMILAR = 100  # cases
MOST_GUIDANCE = 100.0
PUBLIC_EVENT: Any = {
    "concurrency_id": "model", "api_visibility": "public", "preprocess": False,
}  # fmt: skip


def add_endpoints(assistant: Assistant) -> None:
    """Add the endpoints to the page being built: `/draft`, `/draft_study`, `/similar` and so on."""

    def draft(film: Any, indication: str, prior_report: str, seed: float) -> dict[str, Any]:
        report = assistant.draft(
            _read_upload(film), indication=indication, prior_report=prior_report, seed=int(seed)
        )
        return draft_dict(report)

    def draft_study(
        films: Any, prior: Any, indication: str, prior_report: str, seed: float
    ) -> dict[str, Any]:
        study, earlier = _read_uploads(films, prior)
        report = assistant.draft(
            study,
            prior=earlier or None,
            indication=indication,
            prior_report=prior_report,
            seed=int(seed),
        )
        return draft_dict(report)

    def similar(film: Any, k: float) -> dict[str, Any]:
        neighbours = assistant.similar(_read_upload(film), int(k))
        return {"neighbours": [neighbour_dict(neighbour) for neighbour in neighbours]}

    def ask(film: Any, question: str, prior_report: str, seed: float) -> dict[str, Any]:
        answer = assistant.ask(
            _read_upload(film), question, prior_report=prior_report, seed=int(seed)
        )
        return answer_dict(answer)

    def paint(prompt: str, seed: float, guidance: float, site: str) -> dict[str, Any]:
        painting = assistant.paint(prompt, seed=int(seed), guidance=guidance, site=site)[0]
        png = base64.b64encode(file_of(painting)).decode()
        return {**painting_dict(painting), "png_base64": png}

    # The widgets are the table of what each argument may be; `web.arguments` checks it.
    film = gr.File(label="film", visible=False)
    films, prior_films = (
        gr.File(label=label, file_count="multiple", visible=False) for label in ("films", "prior")
    )
    seed, k = _whole_number("seed", 0, 0, MOST_SEED), _whole_number("k", 5, 1, MOST_SIMILAR)
    guidance = gr.Number(3, label="guidance", minimum=1, maximum=MOST_GUIDANCE, visible=False)
    indication, question = _text("indication", 500), _text("question", 500)
    prior, prompt = _text("prior_report", 5000), _text("prompt", LONGEST_PROMPT)
    site = gr.Dropdown(["", *SITES], value="", label="site", visible=False)
    endpoints: dict[str, tuple[Callable[..., dict[str, Any]], list[Any]]] = {
        "draft": (draft, [film, indication, prior, seed]),
        "draft_study": (draft_study, [films, prior_films, indication, prior, seed]),
        "similar": (similar, [film, k]),
        "ask": (ask, [film, question, prior, seed]),
        "paint": (paint, [prompt, seed, guidance, site]),
    }
    for name, (work, inputs) in endpoints.items():
        gr.Button(visible=False).click(
            _with_api_errors(work), inputs, gr.JSON(visible=False), api_name=name, **PUBLIC_EVENT
        )
    # What has wrong arguments becomes this event: its client is told so as of any other error.
    gr.Button(visible=False).click(refuse, _text("refusal", None), **AT_ONCE)


def refuse(sentence: str) -> None:
    """Raise a sentence as gradio's clients get it: an error without a traceback."""
    raise gr.Error(sentence, print_exception=False)


def _with_api_errors(work: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The function with errors as gradio's clients get them: one sentence, no traceback."""

    def answer(*inputs: Any) -> dict[str, Any]:
        try:
            return in_model_thread(work, *inputs)
        except WetreadError as problem:
            raise gr.Error(str(problem), print_exception=False) from None

    return answer


def _read_upload(file: Any) -> Film:
    """The film that was uploaded; the file is deleted."""
    (path,) = paths_of(file)
    try:
        return read_film(path)
    finally:
        delete_upload(path)


def _read_uploads(*groups: Any) -> list[list[Film]]:
    """The films of each group of files that were uploaded; the files are deleted."""
    paths = [paths_of(files) for files in groups]
    try:
        if max(map(len, paths)) > MOST_FILMS:
            raise SettingsError(f"A study has {MOST_FILMS} films at most; give fewer.")
        return [[read_film(path) for path in group] for group in paths]
    finally:
        for path in (path for group in paths for path in group):
            delete_upload(path)


def _text(label: str, longest: int | None) -> gr.Textbox:
    return gr.Textbox("", label=label, max_length=longest, visible=False)


def _whole_number(label: str, value: int, low: int, high: int) -> gr.Number:
    return gr.Number(value, label=label, precision=0, minimum=low, maximum=high, visible=False)
