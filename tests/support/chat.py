"""What the tests of the chat share: films, visitors, and waiting for what a page shows."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page

from assistant.chest.phantoms import make_phantom
from assistant.intake.png import png

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENT = "Quizzical_Zebedee"  # a file name that must be seen nowhere
SLOW = 90_000  # milliseconds a loaded machine may take for a draft or a painting

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"
)


def phantom_png(index: int) -> bytes:
    return png(make_phantom(5, index, split="test").film.astype(np.float32) / 255)


def ill_png() -> bytes:
    """A phantom with a lesion and without devices."""
    ill = next(
        p for i in range(50) if (p := make_phantom(6, i, split="test")).lesions and not p.devices
    )
    return png(ill.film.astype(np.float32) / 255)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def visit(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(SLOW)
    page.goto(url)
    page.wait_for_selector("#drop input[type=file]", state="attached")
    return page


def drop(page: Page, *films: Path) -> None:
    page.set_input_files("#drop input[type=file]", [*films])


def wait_for_draft(page: Page) -> None:
    page.wait_for_selector("#draft .draft", timeout=SLOW)


def sample(page: Page, letter: str = "B") -> None:
    """Draft one of the page's own films."""
    page.get_by_role("button", name=f"Sample {letter}").click()
    wait_for_draft(page)


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def pictures(page: Page) -> set[str]:
    return set(page.eval_on_selector_all("#film img, #cases img", "all => all.map(i => i.src)"))
