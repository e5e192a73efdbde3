"""What is installed: every package by its hash, none under a licence that binds its users."""

from __future__ import annotations

import json
import re

import pytest
from command import run
from conftest import REPO
from packaging.utils import canonicalize_name

from assistant.chest.samples.films import read_samples

LOCKS = [REPO / "requirements" / name for name in ("cpu.txt", "torch-cpu.txt", "torch.txt")]


@pytest.fixture
def packages(capfd) -> dict[str, dict]:
    listed = json.loads(run(capfd, "licences", "--json").out)["packages"]
    return {package["name"]: package for package in listed}


def test_no_package_that_runs_is_under_a_licence_that_binds_its_users(packages):
    assert len(packages) > 50
    for name, package in packages.items():
        assert package["licence"] != "not stated", name
        assert not re.search(r"(?<!L)GPL|General Public", package["licence"]), name


def test_the_page_of_licences_is_what_the_command_prints(packages):
    page = (REPO / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| \S+ \| (.+) \|$", page, re.MULTILINE)
    written = {name: licence for name, licence in rows if name != "package"}
    assert {name: package["licence"] for name, package in packages.items()} == written


def test_every_package_that_the_demo_installs_is_pinned_by_a_hash(packages):
    pinned = set()
    for lock in LOCKS:
        entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8"))
        for entry in entries:
            if entry.startswith("#"):
                continue
            name = re.match(r"([A-Za-z0-9._-]+)==\S+", entry)
            assert name, f"{lock.name}: {entry[:60]}"
            assert "--hash=sha256:" in entry, f"{lock.name}: {name[1]}"
            pinned.add(canonicalize_name(name[1]))
    assert set(packages) <= pinned
    assert "nvidia" not in LOCKS[0].read_text(encoding="utf-8")  # no CUDA where none is wanted


def test_the_bill_of_materials_is_valid_and_names_every_package(capfd, packages):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = run(capfd, "licences", "--sbom").out
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    assert {component["name"] for component in components} == set(packages)
    assert all(component["licenses"] for component in components)


def test_the_films_that_ship_are_named_with_their_source_and_its_terms(capfd):
    shipped = read_samples()
    printed = [run(capfd, "licences", *form).out for form in ((), ("--markdown",), ("--json",))]
    printed.append((REPO / "docs" / "licences.md").read_text(encoding="utf-8"))
    for text in printed:
        words = " ".join(text.split())
        for part in (shipped.data_set, shipped.provider, shipped.source, shipped.citation):
            assert part in words
