"""The page: its tabs, its theme and its policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes import Base

from assistant.assistant import Assistant
from assistant.export.wording import NOTICE
from ui.api import add_endpoints
from ui.batch_tab import BatchTab
from ui.card_tab import CardTab
from ui.events import AT_ONCE, FORGET_AFTER, panel, script
from ui.library_tab import LibraryTab
from ui.paint_tab import PaintTab
from ui.read_tab import ReadTab
from ui.session import Session
from ui.web.limits import Limits

TITLE = (
    '<header><h1>Wetread</h1><span class="dim">A preliminary reading of a film, with its evidence.'
    f'</span><span class="notice">{NOTICE}</span></header>'
)
FIRST_VISIT = """<details class="first" open><summary>What is this?</summary><p>Drop a chest film,
or try one of the samples below. Wetread drafts its report: every sentence has a verdict, a
calibrated risk of being false, and opens to what speaks for it and to its place on the film.
Sentences can be accepted, edited or rejected; ask about the film below it. <b>Paint</b> makes
synthetic films from words, <b>Batch</b> drafts many films at once, <b>Library</b> holds the cases
that drafts are compared with. Your films stay in this session and on this machine.</p></details>"""
LOGOUT = '<form method="post" action="logout" class="logout"><button>Log out</button></form>'
HEAD = '<meta name="viewport" content="width=device-width, initial-scale=1">'


def theme() -> dict[str, Any]:
    """Theme, style and head of the page, as `launch` takes them."""
    theme = Base(neutral_hue="zinc", font=("system-ui", "sans-serif"), font_mono="monospace")
    return {"theme": theme, "css": script("chat.css"), "head": HEAD}


def build(
    assistant: Assistant, home: Path, *, local: bool = True, limits: Limits, logout: bool = False
) -> gr.Blocks:
    """The page, for one assistant that all sessions read from.

    `home` is a folder for the films of sessions; with `local` a batch may name a folder of the
    server's machine, which is the visitor's own then; with `logout` visitors can log out.
    """
    with gr.Blocks(analytics_enabled=False, title="Wetread", fill_width=True) as page:
        add_endpoints(assistant)  # first, so that no event of the page takes an endpoint's name
        panel(TITLE.replace("</header>", f"{LOGOUT if logout else ''}</header>"), "title")
        panel(FIRST_VISIT, "first", "first.js")
        session = gr.State(
            Session(home, limits), time_to_live=FORGET_AFTER, delete_callback=Session.delete_all
        )
        with gr.Tabs(selected="read") as tabs:
            with gr.Tab("Read", id="read"):
                reading = ReadTab(assistant, session)
            with gr.Tab("Paint", id="paint"):
                PaintTab(assistant, reading, tabs)
            with gr.Tab("Batch", id="batch"):
                BatchTab(assistant, reading, tabs, local=local)
            with gr.Tab("Library", id="library") as library_item:
                library = LibraryTab(assistant, reading)
            with gr.Tab("Report card", id="card") as card_item:
                card = CardTab()
        library_item.select(
            library.show_library, None, [library.stats, library.message, library.found], **AT_ONCE
        )
        card_item.select(card.show_card, None, card.card, **AT_ONCE)
        page.load(reading.alike.list_origins, None, reading.alike.origin, **AT_ONCE)
    return page
