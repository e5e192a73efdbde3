"""The chat as a browser sees it: pictures for the docs, and how long a visitor waits.

Run as `python -m cli.browser shots FOLDER` and `python -m cli.browser speed`; it needs the extra
`dev` and a Chromium.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.chest.samples.films import read_samples
from assistant.errors import SettingsError
from cli.options import OUTPUT, Backbone

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

browser_app = typer.Typer(no_args_is_help=True, add_completion=False)
CASES, SEED = 120, 7  # phantoms of the library that stands behind the pictures
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
WAIT = 120_000  # milliseconds a loaded machine may take
VISITS = 9


@contextmanager
def _serve_library(backbone: str) -> Iterator[str]:
    """A chat with a library of phantoms, at an address of its own."""
    import app
    from assistant import Assistant
    from assistant.cases.ingest import add_folder
    from assistant.chest.phantoms import write_phantoms
    from ui.jobs import in_model_thread

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        write_phantoms(Path(folder) / "phantoms", CASES, seed=SEED, split="train")
        with in_model_thread(Assistant.load, backbone, Path(folder) / "library") as assistant:
            in_model_thread(
                add_folder,
                assistant.backbone,
                assistant.require_library(),
                Path(folder) / "phantoms",
            )
            with app.serve_chat(assistant, port=port) as url:
                yield url


@contextmanager
def _open_browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        raise SettingsError("There is no Chromium on this machine: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS])
        yield browser
        browser.close()


def _open_page(browser: Browser, url: str, *, light: bool, width: int = 1560) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 1000}, color_scheme="light" if light else "dark"
    )
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(url)
    page.wait_for_selector("#drop input[type=file]", state="attached")
    return page


def _draft_sample(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_selector("#draft .draft")


@browser_app.command()
def shots(
    folder: Annotated[Path, typer.Argument(help="Where the pictures go.")],
    film: Annotated[str, typer.Option(help="The real film of the first picture.")] = "nih-2",
    backbone: Backbone = "mini",
) -> None:
    """Take the pictures of the chat that the docs show."""
    sample = read_samples().find(film)
    folder.mkdir(parents=True, exist_ok=True)
    with _serve_library(backbone) as url, _open_browser() as browser:
        page = _open_page(browser, url, light=True)
        page.locator("#first summary").click()
        _draft_sample(page, sample.chosen_for)
        page.locator("#draft .said summary").first.click()
        page.get_by_label("Ask about the film").fill("Is there a pleural effusion?")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.wait_for_selector("#talk .answer")
        page.wait_for_timeout(500)
        page.screenshot(path=folder / "chat.png", full_page=True)
        dark = _open_page(browser, url, light=False)
        dark.locator("#first summary").click()
        _draft_sample(dark, "Sample C")
        dark.wait_for_selector("#cases .case")
        dark.wait_for_timeout(500)
        dark.screenshot(path=folder / "chat-dark.png")
        dark.get_by_role("tab", name="Paint").click()
        dark.get_by_label("What the film should show").fill("Large right pleural effusion.")
        dark.get_by_role("button", name="Paint", exact=True).click()
        dark.wait_for_selector("#painted .painting")
        dark.wait_for_timeout(500)
        dark.screenshot(path=folder / "chat-paint.png")
    OUTPUT.print(f"Three pictures are in {folder}.", markup=False)


@browser_app.command()
def speed(
    n: Annotated[int, typer.Option("--n", min=1, help="Visits.")] = VISITS,
    backbone: Backbone = "mini",
) -> None:
    """Measure how long a visitor waits for the page, and for a draft's first sentence."""
    from evals.results import format_value, median_of

    page_seconds, sentence_seconds, draft_seconds = [], [], []
    with _serve_library(backbone) as url, _open_browser() as browser:
        for number in range(n):
            started = perf_counter()
            page = _open_page(browser, url, light=True)
            page.wait_for_selector("#drop", state="visible")
            page_seconds.append(perf_counter() - started)
            started = perf_counter()
            page.get_by_role("button", name=f"Sample {'ABC'[number % 3]}").click()
            page.wait_for_selector("#draft .writing li, #draft .said li")
            sentence_seconds.append(perf_counter() - started)
            page.wait_for_selector("#draft .draft")
            draft_seconds.append(perf_counter() - started)
            page.context.close()
    for figure, seconds, bar in (
        ("page ready to use", page_seconds, "under 2 s"),
        ("first sentence of a draft", sentence_seconds, "under 3 s"),
        ("whole draft with its verdicts", draft_seconds, ""),
    ):
        summary = median_of(seconds)
        value = format_value(summary["value"])
        interval = f"{format_value(summary['ci_low'])} to {format_value(summary['ci_high'])}"
        OUTPUT.print(
            f"{figure:<32}{value} s, median of {summary['n']}, 0 unscored; "
            f"95 % interval {interval}; longest {max(seconds):.2f} s  {bar}",
            markup=False,
        )


if __name__ == "__main__":
    browser_app()
