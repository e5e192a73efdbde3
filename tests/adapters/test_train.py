"""Training: the whole recipe at toy size gives a backbone that loads, and survives a kill."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import REPO
from pupil import DATA, MANY, KilledError, Pupil, collate

from adapters.backbone_recipe import Stage, read_recipe
from adapters.trainer import run_stage
from assistant.errors import SettingsError

TINY = """
name = "tiny"
seed = 3
licence = "Apache-2.0"
language = ""
trunk = "random"
[data]
train = 40
others = 8
speak = 24
validation = 12
seed = 3
[model]
image_size = 256
painting_size = 64
patch_size = 16
vision_width = 32
text_width = 32
text_layers = 1
text_heads = 2
vocabulary = 320
codebook = 32
code_width = 4
painter_channels = 32
[see]
steps = 3
fold_steps = 2
batch = 4
learning_rate = 1e-3
trunk_rate = 1e-3
weight_decay = 0.03
[align]
steps = 3
batch = 4
learning_rate = 1e-3
muon_rate = 5e-3
[tokenise]
steps = 6
batch = 4
learning_rate = 1e-3
muon_rate = 5e-3
[sharpen]
steps = 3
batch = 4
learning_rate = 1e-3
muon_rate = 5e-3
[speak]
steps = 3
batch = 4
learning_rate = 1e-3
muon_rate = 5e-3
[read]
steps = 2
batch = 4
learning_rate = 1e-3
muon_rate = 5e-3
[talk]
steps = 3
batch = 4
learning_rate = 1e-3
muon_rate = 5e-3
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


def _command(recipe, out, work):
    words = ["-m", "wetread", "train", str(recipe), "--out", str(out), "--work", str(work)]
    return [sys.executable, *words]


def _digest(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def _learn(pupil: Pupil, folder: Path) -> dict[str, torch.Tensor]:
    run_stage(pupil, DATA, collate, Stage(120, 4, 1e-2, 1e-2), folder, seed=5)
    return pupil.state_dict()


def test_a_killed_stage_goes_on_from_its_checkpoint_and_one_that_is_done_is_loaded(tmp_path):
    whole = _learn(Pupil(), tmp_path / "whole")
    with pytest.raises(KilledError):
        _learn(Pupil(110), tmp_path / "killed")
    assert not (tmp_path / "killed" / "final.safetensors").exists()
    again = Pupil()
    torch.testing.assert_close(_learn(again, tmp_path / "killed"), whole, rtol=0, atol=0)
    assert again.left == MANY - 20  # it began at step 100
    torch.testing.assert_close(_learn(Pupil(0), tmp_path / "killed"), whole, rtol=0, atol=0)


@pytest.mark.long
def test_a_recipe_makes_a_backbone_that_drafts_and_paints_and_resumes_after_a_kill(
    recipe, tmp_path
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(
        _command(recipe, whole, tmp_path / "work1"), cwd=REPO, check=True, capture_output=True
    )
    work = tmp_path / "work2"
    process = subprocess.Popen(
        _command(recipe, killed, work), cwd=REPO, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while not list(work.glob("*/see/final.safetensors")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    before = next(work.glob("*/see/final.safetensors")).stat().st_mtime_ns
    subprocess.run(_command(recipe, killed, work), cwd=REPO, check=True, capture_output=True)
    assert next(work.glob("*/see/final.safetensors")).stat().st_mtime_ns == before
    assert _digest(killed) == _digest(whole)

    from assistant import Assistant

    with Assistant.load(killed, tmp_path / "library") as made:
        from assistant.chest.phantoms import make_phantom
        from evals.data.phantoms import as_film

        report = made.draft(as_film(make_phantom(1, 0)))
        assert report.provenance.backbone == "tiny"
        assert made.paint("Cardiomegaly.")[0].pixels.shape == (64, 64)
        assert made.backbone.card["licence"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("steps = 3", "steps = 0", "steps"),
        ("vision_width = 32", "vision_width = 33", "vision_width"),
        ('trunk = "random"', 'trunk = "resnet"', "imagenet"),
        ("patch_size = 16", "patch_size = 17", "patch_size"),
        ("codebook = 32", "codebok = 32", "codebok"),
        ("[speak]", "[spoke]", "spoke"),
        ('name = "tiny"', "name = 3", "name"),
        ("seed = 3", "seed = ", "TOML"),
        ("others = 8", 'others = "eight"', "others"),
    ],
)
def test_a_recipe_that_does_not_hold_names_the_bad_value(recipe, old, new, word):
    recipe.write_text(TINY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError, match=word) as refused:
        read_recipe(str(recipe))
    assert "\n" not in str(refused.value)


def test_the_shipped_recipe_holds():
    assert read_recipe("mini").name == "mini"


def test_training_never_replaces_what_is_no_backbone(recipe, tmp_path):
    from adapters.pretrain.train import train_backbone

    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(SettingsError, match="precious"):
        train_backbone(read_recipe(str(recipe)), tmp_path / "work", tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").exists()
