"""The wheel: built from the repository, installed elsewhere, it drafts a report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
from conftest import REPO


def _call(*words: object, **options) -> str:
    done = subprocess.run(
        [str(w) for w in words], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_that_the_packages_hold_is_declared_to_be_packed():
    told = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]
    assert all((REPO / f"{name}.py").is_file() for name in told["py-modules"])
    rooms = [pattern.removesuffix("*") for pattern in told["packages"]["find"]["include"]]
    declared = {
        path
        for package, patterns in told["package-data"].items()
        for pattern in patterns
        for path in (REPO / package.replace(".", "/")).glob(pattern)
    }
    tracked = _call("git", "ls-files", "-co", "--exclude-standard", *rooms, cwd=REPO).splitlines()
    data = {REPO / name for name in tracked if not name.endswith((".py", "py.typed"))}
    assert data
    assert {path for path in data if path.is_file()} <= declared
    for module in (name for name in tracked if name.endswith(".py")):
        assert (REPO / module).with_name("__init__.py").is_file(), module


@pytest.mark.long
def test_a_wheel_installed_into_an_empty_environment_drafts_a_report(tmp_path, phantoms):
    source = tmp_path / "source"
    tracked = _call("git", "ls-files", "-co", "--exclude-standard", cwd=REPO).splitlines()
    for name in tracked:
        if (REPO / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPO / name, source / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    wheels = tmp_path / "wheels"
    _call(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, source)
    wheel = next(wheels.glob("wetread-*.whl"))
    home = tmp_path / "elsewhere"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    site = Path(
        _call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    _call(*pip, "--python", python, "install", "--no-deps", "--no-index", wheel)
    # Its libraries are those of this environment: a path line brings packages, but not this
    # environment's own link to the repository.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    where = _call(
        python, "-c", "import assistant; print(assistant.__file__)", cwd=tmp_path, env=clean
    )
    assert Path(where.strip()).is_relative_to(home)
    film = sorted((phantoms / "images").iterdir())[0]
    environment = {**clean, "WETREAD_HOME": str(tmp_path / "home")}
    out = _call(home / "bin" / "wetread", "draft", film, "--json", cwd=tmp_path, env=environment)
    draft = json.loads(out)
    assert draft["provenance"]["backbone"] == "mini"
    assert draft["provenance"]["versions"]["wetread"]
    assert draft["sentences"]
    # The manifest of the weights travels in the wheel, and they are whole.
    _call(home / "bin" / "wetread", "doctor", cwd=tmp_path, env=environment)
