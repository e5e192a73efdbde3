"""Learning from the real sentences of a folder of films: which films, which words, whose shape."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import run
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from toy_janus import recipe, toy_base

from adapters.adapter_recipe import (
    AdapterRecipe,
    FolderData,
    Lora,
    PhantomData,
    Schedule,
    read_any_recipe,
)
from adapters.data.cases import TrainingCase, load_cases
from adapters.data.typical import select_typical
from adapters.lora.train import train_adapter
from assistant.errors import SettingsError
from assistant.intake.resize import restore_shape, square
from assistant.types import Assertion

COLUMNS = ("image", "patient", "report", "indication", "original_columns", "original_rows", "split")
REPORT = (
    "Findings: The heart is normal in size. The XXXX are intact. The lungs are clear. "
    "Impression: No acute disease."
)
SPLITS = ("train", "train", "train", "train", "extra", "extra", "val", "val", "test")


def write_squeezed_films(folder: Path, shape: tuple[int, int] = (120, 60)) -> Path:
    """A folder as Open-i's: squares that were films of `shape`, a bright bar across each."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    with (folder / "cases.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number, split in enumerate(SPLITS):
            pixels = rng.integers(0, 120, (64, 64), np.uint8)
            pixels[24:40] = 250
            Image.fromarray(pixels).save(folder / f"{number}.png")
            table.writerow((f"{number}.png", number, REPORT, "Cough.", *shape, split))
    return folder


@pytest.fixture(scope="module")
def squeezed(tmp_path_factory) -> Path:
    return write_squeezed_films(tmp_path_factory.mktemp("set") / "openi")


def load(data: FolderData, kept: Path):
    return load_cases(data, kept, seed=1, edge=32, on_message=lambda text: None)


def test_only_the_named_splits_are_learnt_from_and_val_is_always_held_out(squeezed, tmp_path):
    narrow = load(FolderData(squeezed, 0.5, ("train",)), tmp_path)
    wide = load(FolderData(squeezed, 0.5, ("train", "extra")), tmp_path)
    every = load(FolderData(squeezed, 0.5), tmp_path)
    counts = [(len(cases.train), len(cases.validation)) for cases in (narrow, wide, every)]
    assert counts == [(4, 2), (6, 2), (6, 2)]
    assert narrow.sha256 != wide.sha256


def test_a_table_without_splits_is_learnt_from_whole(squeezed, tmp_path):
    rows = list(csv.DictReader((squeezed / "cases.csv").open(encoding="utf-8", newline="")))
    plain = tmp_path / "plain"
    plain.mkdir()
    with (plain / "cases.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS[:-1], extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    for row in rows:
        (plain / row["image"]).write_bytes((squeezed / row["image"]).read_bytes())
    cases = load(FolderData(plain, 0.3, ("train",)), tmp_path / "kept")
    assert len(cases.train) + len(cases.validation) == len(SPLITS)
    assert len(cases.validation) > 0


def test_a_sentence_with_a_removed_word_is_learnt_unless_the_recipe_names_its_mark(
    squeezed, tmp_path
):
    as_written = load(FolderData(squeezed, 0.5), tmp_path).train.cases[0]
    clean = load(FolderData(squeezed, 0.5, redaction="XXXX"), tmp_path).train.cases[0]
    assert "The XXXX are intact." in as_written.findings
    assert clean.findings == "The heart is normal in size. The lungs are clear."
    assert clean.impression == as_written.impression == "No acute disease."


def test_a_squeezed_film_is_learnt_in_its_true_shape(squeezed, tmp_path):
    picture = load(FolderData(squeezed, 0.5), tmp_path).train.pictures[0]
    assert picture.shape == (32, 32)
    assert picture[:8].max() == picture[-8:].max() == 0  # twice as wide as high: dark above, below
    assert picture[8:24].min(axis=1).max() > 0
    assert picture[14:18].min() > 180  # the bar is as wide as the film, and half as high


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    true=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    edge=st.integers(1, 64),
)
def test_any_film_gets_the_shape_that_its_table_states_and_no_new_grey(size, true, edge):
    pixels = np.random.default_rng(0).random(size, np.float32)
    restored = restore_shape(pixels, true)
    assert restored.dtype == np.float32
    assert restored.shape[0] == size[0]
    assert pixels.min() <= restored.min() <= restored.max() <= pixels.max()
    wanted = size[0] * true[0] / true[1]
    if 1 <= wanted <= 8 * size[0]:
        assert abs(restored.shape[1] - wanted) <= max(0.5, 0.01 * size[1])
    assert restore_shape(restored, true).shape == restored.shape
    assert square(restored, edge).shape == (edge, edge)


def test_the_shipped_recipe_needs_only_the_folder_and_is_for_whoever_trains_it(squeezed):
    plan = read_any_recipe("report-openi", squeezed)
    assert isinstance(plan, AdapterRecipe)
    assert (plan.task, plan.base) == ("report", "mini")
    assert isinstance(plan.data, FolderData)
    assert plan.data.cases == squeezed
    assert plan.data.splits == ("train",)
    assert plan.is_private
    assert "CC BY-NC-ND 4.0" in plan.notice
    assert plan.as_dict()["data"]["cases"] == "openi"  # no path of this machine in the card
    with pytest.raises(SettingsError, match="--data"):
        read_any_recipe("report-openi")


def test_films_stand_in_for_phantoms_or_beside_them_where_the_recipe_has_words_of_its_own(squeezed):
    instead = read_any_recipe("image", squeezed)
    assert isinstance(instead, AdapterRecipe)
    assert instead.data == FolderData(squeezed, 0.1)
    beside = read_any_recipe("answer", squeezed)
    assert isinstance(beside, AdapterRecipe)
    assert isinstance(beside.data, PhantomData)
    assert beside.data.films == squeezed
    assert not beside.is_private
    assert beside.as_dict()["data"]["films"] == "openi"


def test_typical_reports_are_those_like_most_others_and_findings_keep_their_share():
    usual = "The heart is normal in size. The lungs are clear. No effusion or pneumothorax."
    odd = "Unremarkable study of a tall person, taken twice because of the necklace."
    sick = "The heart is enlarged. The lungs are clear. No effusion or pneumothorax."
    odder = "Gross cardiac enlargement, globular, with an unusual left border."
    enlarged = (Assertion("cardiomegaly"),)
    cases = [
        *(TrainingCase(f"u{i}", usual) for i in range(6)),
        *(TrainingCase(f"o{i}", f"{odd} {i}.") for i in range(6)),
        *(TrainingCase(f"s{i}", sick, claims=enlarged) for i in range(3)),
        *(TrainingCase(f"d{i}", f"{odder} {i}.", claims=enlarged) for i in range(3)),
    ]
    # A report that is repeated is not compared with itself: its likeness is to the other kinds.
    chosen = select_typical(cases, 0.5, seed=1)
    assert [sum(i in part for i in chosen) for part in (range(12), range(12, 18))] == [6, 3]
    assert select_typical(cases, 1.0, seed=1) == list(range(18))
    assert select_typical(cases, 0.01, seed=1) == select_typical(cases, 0.01, seed=1)
    assert len(select_typical(cases, 0.01, seed=1)) == 2  # one with, one without a finding


def test_what_is_learnt_from_films_never_lands_in_the_installed_mini(squeezed, capfd, tmp_path):
    for recipe_name in ("report-openi", "image"):
        ended = run(capfd, "train", recipe_name, "--data", squeezed, "--work", tmp_path)
        assert ended.code == 2
        assert "--out" in ended.err
        assert "\n" not in ended.err.strip()
    assert not any(tmp_path.iterdir())


def test_one_command_trains_the_adapter_and_says_whose_sentences_it_has(squeezed, capfd, tmp_path):
    base = toy_base(tmp_path / "base")
    toml = Path("adapters/recipes/report-openi.toml").read_text(encoding="utf-8")
    for line in toml.splitlines():
        if line.startswith(("steps", "text_steps", "warmup", "batch")):
            toml = toml.replace(line, f"{line.split()[0]} = 2")
    (tmp_path / "quick.toml").write_text(toml, encoding="utf-8")
    ended = run(
        capfd, "train", tmp_path / "quick.toml", "--data", squeezed, "--base", base,
        "--work", tmp_path / "work", "--out", tmp_path / "out",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert " ".join(ended.err.split()).count("share it with no one") == 2
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    assert card["data"]["cases"] == 4
    assert card["data"]["held_out_cases"] == 2
    assert "CC BY-NC-ND" in card["licence"]
    assert "share it with no one" in card["recipe"]["notice"]
    assert str(tmp_path) not in json.dumps(card)


def test_sentences_are_learnt_by_heart_from_a_few_films(squeezed, tmp_path):
    base = toy_base(tmp_path / "base")
    plan = recipe(
        "report",
        squeezed,
        data=FolderData(squeezed, 0.5, ("train",)),
        lora=Lora(16, 32, 0.0, ("all-linear",), head=True),
        schedule=Schedule(60, 4, 2e-2, 5, text_steps=30),
    )
    losses = []
    for steps in (1, 60):
        quick = replace(plan, schedule=replace(plan.schedule, steps=steps))
        out = train_adapter(quick, base, tmp_path / "work", tmp_path / f"after{steps}")
        card = json.loads((out / "card.json").read_text(encoding="utf-8"))
        losses.append(card["metrics"]["validation_loss"])
    assert losses[1] < losses[0] / 2
