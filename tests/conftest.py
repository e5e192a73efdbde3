"""What every test shares: no network but loopback, a home of its own, one loaded assistant."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# Tests run beside each other, a process for each core: more threads would only wait for one.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded, which chat does

from chat import CHROMIUM, FLAGS, PATIENT, SLOW, free_port, phantom_png

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared" / "data"
BACKBONE = os.environ.get("WETREAD_TEST_BACKBONE", "mini")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One for each core, as far as the memory reaches: each holds a backbone and a browser."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    room = psutil.virtual_memory().available // (3 * 2**30)
    return max(1, min(cores or 1, room, 8))


@pytest.fixture(scope="session", autouse=True)
def _only_loopback():
    """Refuse every connection that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
            if not inside:
                raise OSError(f"tests may not connect to {host}")
        return connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory):
    """A home of the test run's own: no test sees or changes a user's library."""
    patch = pytest.MonkeyPatch()
    patch.setenv("WETREAD_HOME", str(tmp_path_factory.mktemp("home")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory) -> Path:
    """A folder of 24 phantoms of the test split."""
    from assistant.chest.phantoms import write_phantoms

    folder = tmp_path_factory.mktemp("phantoms")
    write_phantoms(folder, 24, seed=501, split="test", workers=1)
    return folder


@pytest.fixture(scope="session")
def assistant(tmp_path_factory, phantoms):
    """The shipped backbone with a library of the phantoms."""
    from assistant import Assistant
    from assistant.cases.ingest import add_folder

    with Assistant.load(BACKBONE, tmp_path_factory.mktemp("library")) as loaded:
        assert add_folder(loaded.backbone, loaded.library, phantoms).added == 24
        yield loaded


@pytest.fixture(scope="session")
def chat_assistant(tmp_path_factory):
    """The shipped backbone with a small library of its own: the chat's tests add and remove."""
    import numpy as np

    from assistant import Assistant
    from assistant.cases.ingest import add_film
    from assistant.chest.phantoms import make_phantom
    from assistant.intake import read_film_bytes
    from assistant.intake.png import png

    with Assistant.load(BACKBONE, tmp_path_factory.mktemp("chat") / "library") as loaded:
        for index in range(4):
            phantom = make_phantom(6, index, split="validation")
            film = read_film_bytes(png(phantom.film.astype(np.float32) / 255))
            add_film(loaded.backbone, loaded.library, film, report=phantom.report, source="ward")
        yield loaded


@pytest.fixture(scope="session")
def url(chat_assistant) -> Iterator[str]:
    """The chat, served."""
    import app

    with app.serve_chat(chat_assistant, port=free_port()) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium."""
    from playwright.sync_api import expect, sync_playwright

    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium")
    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def visitor(browser):
    """A visitor with no past."""
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    yield context
    context.close()


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    """Two films whose file names hold a patient's."""
    paths = [tmp_path / f"{PATIENT}_{index}.png" for index in range(2)]
    for index, path in enumerate(paths):
        path.write_bytes(phantom_png(index))
    return paths


def pytest_terminal_summary(terminalreporter) -> None:
    """Say loudly where the chat was not tested."""
    if not CHROMIUM.exists():
        terminalreporter.section("THE CHAT WAS NOT TESTED", red=True, bold=True)
        terminalreporter.line(f"There is no Chromium at {CHROMIUM}: apt-get install chromium.")
