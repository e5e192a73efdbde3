"""The command line: JSON where there is something to say, 2 and one sentence on bad input."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
from contextlib import closing
from importlib import metadata

import pytest
import typer
from command import run
from conftest import BACKBONE, SHARED
from library_adder import film
from library_model import opened

import wetread


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("WETREAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_folder_is_filed_once_searched_removed_and_rebuilt(home, capfd, phantoms, tmp_path):
    folder = tmp_path / "films"
    (folder / "images").mkdir(parents=True)
    with (phantoms / "cases.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.reader(table))[:9]
    with (folder / "cases.csv").open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows(rows)
    for image, *_ in rows[1:]:
        shutil.copyfile(phantoms / image, folder / image)
    first = json.loads(run(capfd, "library", "add", folder, "--json").out)
    assert first == {"added": 8, "known": 0, "refused": []}
    again = json.loads(run(capfd, "library", "add", folder, "--json").out)
    assert again == {"added": 0, "known": 8, "refused": []}
    film = phantoms / "images" / "test-A-501-000003.png"
    found = json.loads(run(capfd, "similar", film, "-k", 4, "--json").out)["neighbours"]
    assert len(found) == 4
    assert found == sorted(found, key=lambda n: -n["similarity"])
    assert run(capfd, "library", "remove", found[0]["case"]).code == 0
    stats = json.loads(run(capfd, "library", "stats", "--json").out)
    assert (stats["cases"], stats["patients"], stats["embedded"]) == (7, 7, 7)
    assert json.loads(run(capfd, "library", "rebuild", "--json").out)["cases"] == 7
    left = json.loads(run(capfd, "similar", film, "-k", 4, "--json").out)["neighbours"]
    assert [n["case"] for n in left][:3] == [n["case"] for n in found][1:]
    assert home.is_dir()


def test_real_films_are_filed_with_their_labels(home, capfd, tmp_path):
    table = SHARED / "nih" / "cases.csv"
    if not table.is_file():
        pytest.skip("the real films are not on this machine")
    (tmp_path / "nih" / "images").mkdir(parents=True)
    lines = table.read_text(encoding="utf-8").splitlines()[:7]
    for line in lines[1:]:
        name = line.split(",")[0]
        (tmp_path / "nih" / name).write_bytes((SHARED / "nih" / name).read_bytes())
    (tmp_path / "nih" / "cases.csv").write_text("\n".join(lines), encoding="utf-8")
    done = json.loads(run(capfd, "library", "add", tmp_path / "nih", "--json").out)
    assert done == {"added": len(lines) - 1, "known": 0, "refused": []}


def test_a_bad_film_in_a_folder_is_named_and_the_rest_goes_on(home, capfd, phantoms, tmp_path):
    name = "test-A-501-000001.png"
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / name).write_bytes((phantoms / "images" / name).read_bytes())
    (tmp_path / "f" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "f" / "cases.csv").write_text(
        f"image,report\nbroken.png,x\n{name},Normal.\n", encoding="utf-8"
    )
    done = json.loads(run(capfd, "library", "add", tmp_path / "f", "--json").out)
    assert done["added"] == 1
    assert done["refused"][0]["row"] == 2
    assert "broken" not in json.dumps(done)  # a file's name may be a patient's


def test_a_damaged_library_is_verified_and_repaired(home, capfd):
    with opened(home / "library") as library:
        lost, kept = (library.add(case).case for case in (film(1), film(2)))
    assert run(capfd, "library", "verify").code == 0
    with closing(sqlite3.connect(home / "library" / "cases.sqlite")) as database, database:
        database.execute("UPDATE cases SET report = 'Another.' WHERE id = ?", (lost,))
    told = run(capfd, "library", "verify")
    assert told.code == 2
    assert "does not fit its checksum" in told.out
    assert "--repair" in told.err
    done = json.loads(run(capfd, "library", "verify", "--repair", "--json").out)
    assert [damage["place"] for damage in done["damages"]] == ["case"]
    assert (home / "library" / done["kept_aside"]).is_file()
    assert run(capfd, "library", "verify").code == 0
    with opened(home / "library") as library:
        assert [case.id for case in library.cases()] == [kept]


def test_a_draft_is_written_where_it_is_asked_for(home, capfd, phantoms, tmp_path):
    film = phantoms / "images" / "test-A-501-000002.png"
    out = tmp_path / "deep" / "draft.md"
    assert run(capfd, "draft", film, "--out", out).code == 0
    assert out.read_text(encoding="utf-8").startswith("# Draft report")
    assert run(capfd, "draft", film, "--out", out.with_suffix(".json")).code == 0
    assert json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["sentences"]
    assert sorted(p.name for p in out.parent.iterdir()) == ["draft.json", "draft.md"]


def test_the_terminal_shows_findings_impression_and_the_notice(home, capfd, phantoms):
    shown = run(capfd, "draft", phantoms / "images" / "test-A-501-000002.png").out
    for word in ("not for clinical use", "Findings", "Impression", "risk ", "Probe "):
        assert word in shown


BAD = {
    "no file": ("draft", "{dir}/nothing.dcm"),
    "no film": ("draft", "{text}"),
    "a folder": ("draft", "{dir}"),
    "similar to no film": ("similar", "{dir}/nothing.dcm"),
    "both forms": ("draft", "{text}", "--json", "--markdown"),
    "no such case": ("library", "remove", "0123456789abcdef"),
    "a folder without a table": ("library", "add", "{dir}"),
    "no such site": ("phantom", "--site", "Z", "--out", "{dir}/p"),
    "no such backbone": ("draft", "{text}", "--backbone", "{dir}/none"),
    "no such suite": ("eval", "nothing"),
    "no such recipe": ("train", "nothing", "--out", "{dir}/b"),
    "an empty prompt": ("paint", " ", "--out", "{dir}/o"),
    "a file as folder": ("paint", "x", "--out", "{text}"),
    "an unknown option": ("draft", "{text}", "--nonsense"),
    "a negative seed": ("draft", "{text}", "--seed", "-1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_two_and_one_sentence(home, capfd, tmp_path, case):
    text = tmp_path / "text.png"
    text.write_text("no film", encoding="utf-8")
    outcome = run(capfd, *(word.format(dir=tmp_path, text=text) for word in BAD[case]))
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    if case not in ("an unknown option", "a negative seed"):  # those are typer's own words
        lines = [line for line in outcome.err.splitlines() if line.startswith("wetread: ")]
        assert len(lines) == 1, outcome.err


def test_the_backbone_can_be_named(home, capfd, phantoms):
    film = phantoms / "images" / "test-A-501-000002.png"
    assert run(capfd, "draft", film, "--backbone", BACKBONE).code == 0


def test_the_version_is_that_of_the_package(capfd):
    outcome = run(capfd, "--version")
    assert (outcome.code, outcome.out) == (0, f"wetread {metadata.version('wetread')}\n")


def test_the_help_lists_every_command_under_exactly_one_panel(capfd):
    panels: dict[str, list[str]] = {}
    for line in run(capfd, "--help").out.splitlines():
        if title := re.match(r"╭─ (.+?) ─", line):
            rows = panels.setdefault(title[1], [])
        elif name := re.match(r"│ ([a-z]\S*) ", line):
            rows.append(name[1])
    assert list(panels) == [
        "Options",
        "Read",
        "Paint",
        "Library",
        "Data",
        "Training",
        "Measuring",
        "This machine",
    ]
    listed = [name for rows in panels.values() for name in rows]
    assert sorted(listed) == sorted(typer.main.get_command(wetread.app).commands)


def test_a_script_completes_commands_and_options(capfd, monkeypatch):
    with monkeypatch.context() as shell:
        shell.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
        script = run(capfd, "--show-completion", "bash")
    assert script.code == 0
    assert "complete -o default -F _wetread_completion wetread" in script.out
    for words, position, completed in (
        ("wetread d", 1, {"demo", "draft", "doctor"}),
        ("wetread library re", 2, {"remove", "rebuild"}),
        ("wetread batch --eng", 2, {"--engine"}),
    ):
        monkeypatch.setenv("_WETREAD_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(position))
        assert set(run(capfd).out.split()) == completed
