"""What every test shares: no network but loopback, a home of its own, one loaded assistant."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared" / "data"
BACKBONE = os.environ.get("WETREAD_TEST_BACKBONE", "mini")


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
    from assistant.filing import add_folder

    with Assistant.load(BACKBONE, tmp_path_factory.mktemp("library")) as loaded:
        assert add_folder(loaded, phantoms).added == 24
        yield loaded
