"""`wetread doctor`: what is installed, what is wrong and what to do; nothing is created."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from command import run
from conftest import REPO
from PIL import Image

from cli.doctor.weights import MANIFEST, list_shipped, write_manifest
from retrieval import Library, NewCase

WEIGHTS = "assistant/backbones/mini/probe.safetensors"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("WETREAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Path:
    """An installation whose weights the test may damage: all but the damaged one are links."""
    root = tmp_path / "installation"
    for name in [*list_shipped(REPO), MANIFEST]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(REPO / name)
    monkeypatch.setattr("cli.doctor.weights.ROOT", root)
    return root


def replace(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def fill_library(folder: Path, cases: int) -> Library:
    """An open library with cases whose vectors are of the encoder `toy`."""
    picture = io.BytesIO()
    Image.new("L", (8, 8)).save(picture, "PNG")
    library = Library.open(folder, encoder="toy", dim=4)
    for number in range(cases):
        digest = hashlib.sha256(bytes([number])).hexdigest()
        library.add(NewCase(digest, picture.getvalue(), np.ones(4, np.float32)))
    return library


def strings(value: object) -> Iterator[str]:
    """Every string in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


def refusal(error: str) -> str:
    """The one sentence on the error stream."""
    (line,) = error.splitlines()
    assert line.startswith("wetread: ")
    assert "Traceback" not in error
    return line


def test_all_is_well_on_this_checkout(home, capfd):
    outcome = run(capfd, "doctor")
    assert (outcome.code, outcome.err) == (0, "")
    assert "All is well" in outcome.out
    for name in ("Python", "torch", "faiss", "transformers", "peft", "gradio", "pydicom", "Extras"):
        assert name in outcome.out


def test_the_json_names_its_schema_and_holds_plain_values(home, capfd):
    diagnosis = json.loads(run(capfd, "doctor", "--json").out)
    assert diagnosis["schema"] == "wetread.doctor/1"
    assert diagnosis["wetread"] == metadata.version("wetread")
    assert diagnosis["compute"]["device"] in ("cpu", "cuda")
    assert all(package["fits"] for package in diagnosis["packages"])
    assert diagnosis["weights"]["missing"] == diagnosis["weights"]["damaged"] == []
    assert diagnosis["problems"] == []


def test_an_extra_that_is_not_installed_comes_with_its_command(home, capfd, monkeypatch):
    lines = ['pillow; extra == "here"', 'wetread-no-such-package>=2; extra == "absent"']
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    extras = json.loads(run(capfd, "doctor", "--json").out)["extras"]
    install = "pip install 'wetread[absent]'"
    assert [(extra["name"], extra["installed"]) for extra in extras] == [
        ("here", True),
        ("absent", False),
    ]
    assert extras[1]["missing"] == ["wetread-no-such-package"]
    assert extras[1]["install"] == install
    assert install in run(capfd, "doctor").out


def test_a_checkout_that_is_not_installed_reads_its_requirements_from_pyproject(
    home, capfd, monkeypatch
):
    installed = json.loads(run(capfd, "doctor", "--json").out)

    def refuse(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", refuse)
    checkout = json.loads(run(capfd, "doctor", "--json").out)
    for key in ("packages", "extras"):
        assert [entry["name"] for entry in checkout[key]] == [
            entry["name"] for entry in installed[key]
        ]


@pytest.mark.parametrize("line", ["wetread-no-such-package>=2", "pillow<1"])
def test_a_required_package_that_does_not_fit_is_named_with_its_command(
    home, capfd, monkeypatch, line
):
    monkeypatch.setattr(metadata, "requires", lambda name: [line])
    outcome = run(capfd, "doctor")
    assert outcome.code == 2
    assert f"pip install '{line}'" in refusal(outcome.err)


@pytest.mark.parametrize("module", ["torch", "faiss"])
def test_a_library_that_cannot_be_loaded_is_named(home, capfd, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    outcome = run(capfd, "doctor")
    assert outcome.code == 2
    assert module in refusal(outcome.err).lower()
    assert "cannot be loaded" in outcome.out


def test_a_flipped_byte_in_a_weight_file_is_named(home, capfd, shipped):
    data = bytearray((REPO / WEIGHTS).read_bytes())
    data[len(data) // 2] ^= 1
    replace(shipped / WEIGHTS, bytes(data))
    outcome = run(capfd, "doctor")
    assert outcome.code == 2
    assert WEIGHTS in refusal(outcome.err)
    assert "All is well" not in outcome.out
    diagnosis = json.loads(run(capfd, "doctor", "--json").out)
    assert diagnosis["weights"]["damaged"] == [WEIGHTS]
    assert len(diagnosis["problems"]) == 1


def test_a_missing_weight_file_is_named(home, capfd, shipped):
    (shipped / WEIGHTS).unlink()
    outcome = run(capfd, "doctor", "--json")
    assert outcome.code == 2
    assert WEIGHTS in refusal(outcome.err)
    assert json.loads(outcome.out)["weights"]["missing"] == [WEIGHTS]


@pytest.mark.parametrize("text", [b"", b"no manifest\n", b"\xff\n"])
def test_a_damaged_manifest_is_named(home, capfd, shipped, text):
    replace(shipped / MANIFEST, text)
    outcome = run(capfd, "doctor")
    assert outcome.code == 2
    assert MANIFEST in refusal(outcome.err)


def test_the_manifest_names_every_weight_file_as_sha256sum_writes_it(shipped):
    committed = (REPO / MANIFEST).read_bytes()
    assert write_manifest(shipped).read_bytes() == committed
    if tool := shutil.which("sha256sum"):
        subprocess.run([tool, "--check", "--quiet", MANIFEST], cwd=REPO, check=True)


def test_nothing_is_created(home, capfd):
    folders = json.loads(run(capfd, "doctor", "--json").out)
    assert (folders["library"]["exists"], folders["library"]["writable"]) == (False, True)
    assert folders["contents"] is None
    assert not home.exists()


@pytest.mark.parametrize("closed", [True, False])
def test_the_cases_are_counted_by_encoder_and_the_library_stays_as_it_is(home, capfd, closed):
    with closing(fill_library(home / "library", 3)) as library:
        if closed:
            library.close()
        before = {path: path.stat().st_size for path in home.rglob("*")}
        diagnosis = json.loads(run(capfd, "doctor", "--json").out)
        assert {path: path.stat().st_size for path in home.rglob("*")} == before
    assert diagnosis["library"]["exists"]
    assert diagnosis["contents"] == {
        "cases": 3,
        "encoders": [{"encoder": "toy", "dim": 4, "cases": 3}],
    }


def test_a_damaged_library_is_named_in_one_sentence(home, capfd):
    (home / "library").mkdir(parents=True)
    (home / "library" / "cases.sqlite").write_bytes(b"no database, " * 100)
    outcome = run(capfd, "doctor")
    assert outcome.code == 2
    assert "database" in refusal(outcome.err)


def test_a_home_that_cannot_be_written_is_named(tmp_path, capfd, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("WETREAD_HOME", str(tmp_path / "file" / "home"))
    outcome = run(capfd, "doctor")
    assert outcome.code == 2
    assert "WETREAD_HOME" in refusal(outcome.err)


def test_of_the_users_paths_only_the_two_folders_are_shown(tmp_path, capfd, monkeypatch):
    for name in ("WETREAD_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "ward-physician"))
    outcome = run(capfd, "doctor", "--json")
    diagnosis = json.loads(outcome.out)
    paths = {text for text in strings(diagnosis) if text.startswith(("/", "~"))}
    assert paths == {diagnosis["library"]["path"], diagnosis["cache"]["path"]}
    assert "ward-physician" not in outcome.out + run(capfd, "doctor").out
    assert str(REPO) not in outcome.out
