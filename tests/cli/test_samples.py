"""`wetread samples` and `wetread demo`: a real film, its labels, its source, and its draft."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from command import run
from conftest import BACKBONE, REPO

from assistant.chest.samples.films import read_samples
from assistant.intake import read_film

# What a draft never needs: the chat, training, evaluation, and what they bring along.
IDLE = (
    "gradio", "fastapi", "uvicorn", "pandas", "sklearn", "nltk", "matplotlib", "torchvision",
    "ray", "openai", "diffusers", "pyarrow", "datasets", "ui", "app", "adapters", "evals",
)  # fmt: skip
PROBE = """
import atexit, sys
atexit.register(lambda: print("loaded", [name for name in {names!r} if name in sys.modules]))
atexit.register(lambda: print("threads", sys.modules["torch"].get_num_threads()))
sys.argv = ["wetread", "demo", "nih-1"]
import wetread
wetread.main()
"""


def _names_the_source(text: str) -> bool:
    words, shipped = " ".join(text.split()), read_samples()
    return all(
        part in words
        for part in (shipped.provider, shipped.source, shipped.terms, shipped.citation)
    )


def test_the_list_names_every_film_with_its_labels_and_their_source(capfd):
    listed = run(capfd, "samples").out
    for film in read_samples().films:
        assert film.name in listed
        assert all(label in listed for label in film.labels)
    assert _names_the_source(listed)
    as_json = json.loads(run(capfd, "samples", "--json").out)
    assert [film["name"] for film in as_json["films"]] == [f.name for f in read_samples().films]
    assert as_json["citation"] == read_samples().citation


def test_copies_are_the_films_with_their_source(capfd, tmp_path):
    assert run(capfd, "samples", "--out", tmp_path / "films").code == 0
    for film in read_samples().films:
        copy = read_film(tmp_path / "films" / film.file.name)
        assert copy.sha256 == read_film(film.file).sha256
    copied = (tmp_path / "films" / "samples.json").read_text(encoding="utf-8")
    assert json.loads(copied)["citation"] == read_samples().citation


def test_a_name_that_no_sample_has_is_refused_in_a_sentence(capfd):
    refused = run(capfd, "demo", "nih-0")
    assert refused.code == 2
    assert "nih-1" in refused.err


def test_a_demo_drafts_a_real_film_beside_its_labels_and_takes_no_more_than_it_needs():
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(names=IDLE)],
        cwd=REPO, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    labels = ", ".join(read_samples().find("nih-1").labels)
    before, _, after = done.stdout.partition("Draft by research software")
    assert labels in before
    assert "Impression" in after or "Findings" in after
    assert _names_the_source(after)
    # Where another program has the second core, threads would only wait for each other.
    assert done.stdout.split()[-4:] == ["threads", "1", "loaded", "[]"]


def test_a_demo_as_json_is_a_draft_of_the_sample(capfd):
    out = run(capfd, "demo", "nih-3", "--json", "--backbone", BACKBONE).out
    film = json.loads(out)["study"]["films"][0]
    assert film["sha256"] == read_film(read_samples().find("nih-3").file).sha256
