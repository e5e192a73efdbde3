"""The probe in a mirror and taught anew, the floor of likeness, calibrating on a library."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from toy_janus import TOY, toy_base

from adapters.adapter_recipe import FolderData
from adapters.calibration.calibrate import CalibrationFilms, load_cases_with_truth
from adapters.calibration.probe import label_truth_of, refit_probe, refit_probe_on_half
from adapters.calibration.similarity_floor import fit_similarity_floor
from adapters.data.cases import CaseSet, Pictures, TrainingCase, load_cases
from adapters.data.phantom_arrays import CHANNELS, FILM_LABELS
from adapters.pretrain.probe import ProbeDataset, logits_of, loss_of, train_probe
from assistant import Assistant
from assistant.backbones.loading import load_backbone
from assistant.backbones.probe.probe import Label, Probe
from assistant.cases.ingest import add_folder
from assistant.chest.phantoms import make_phantom, write_phantoms
from assistant.drafting.draft import DraftOptions
from assistant.errors import SettingsError
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion, Film, Study
from retrieval import Library

OTHER = {"right": "left", "left": "right", None: None}


def film_of(pixels: np.ndarray) -> Film:
    kept = np.ascontiguousarray(pixels, np.float32) / 255
    return Film(kept, hashlib.sha256(kept.tobytes()).hexdigest())


def test_of_two_looks_a_mirrored_film_reads_as_the_same_with_its_sides_exchanged(
    assistant, monkeypatch
):
    monkeypatch.setattr(assistant.backbone._model.config.vision_config, "views", 2)
    made = [make_phantom(77, number, "A", "test") for number in range(6)]
    plain = assistant.backbone.probe_findings([film_of(p.film) for p in made])
    turned = assistant.backbone.probe_findings([film_of(p.film[:, ::-1]) for p in made])
    for one, other in zip(plain, turned, strict=True):
        there = {(s.finding, OTHER[s.side], s.zone): s.probability for s in one}
        assert {(s.finding, s.side, s.zone): s.probability for s in other} == pytest.approx(
            there, abs=2e-3
        )
    assert any(s.present and s.side for seen in plain for s in seen)


def test_a_label_is_true_false_or_unknown_as_the_case_says():
    case = TrainingCase(
        "p", claims=find_assertions("Small right pleural effusion. No pneumothorax.")
    )
    labels = (
        Label("pleural_effusion", "right"),
        Label("pleural_effusion", "left"),
        Label("pleural_effusion", "right", None, ("moderate", "large")),
        Label("pneumothorax", "left"),
        Label("nodule", "left", "upper"),
        Label("cardiomegaly"),
    )
    right, left, graded, pneumothorax, nodule, heart = label_truth_of(case, labels)
    assert (right, left, graded, pneumothorax) == (1, 0, 0, 0)
    assert np.isnan(nodule)
    assert np.isnan(heart)
    whole = TrainingCase("p", claims=case.claims, complete=True)
    assert label_truth_of(whole, labels)[4:] == [0, 0]


def test_a_finding_without_a_side_says_of_no_side_that_it_is_there():
    case = TrainingCase("p", claims=(Assertion("pleural_effusion"),))
    assert np.isnan(label_truth_of(case, [Label("pleural_effusion", "right")])).all()


def lessons(count: int, seed: int, probe: Probe) -> ProbeDataset:
    """Films of which a patch shows a right effusion; in a mirror another shows a left one."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((2, count, 9, TOY.vision_width)).astype(np.float16)
    truth = np.full((count, len(FILM_LABELS)), np.nan, np.float32)
    right = FILM_LABELS.index(Label("pleural_effusion", "right"))
    left = int(probe.mirror_indices[right])
    there = rng.random(count) < 0.5
    features[0, there, 4, 0] += 6
    features[1, there, 4, 1] += 6
    truth[:, right], truth[:, left] = there, False
    return ProbeDataset(features, truth)


def test_a_probe_learns_from_films_and_from_their_mirror_images_and_its_patches_stay():
    torch.manual_seed(0)
    probe = Probe(TOY.vision_width, FILM_LABELS, CHANNELS)
    before, patches = loss_of(probe, lessons(200, 1, probe)), probe.patches.weight.clone()
    train_probe(probe, lessons(1500, 0, probe), seed=0)
    fresh = lessons(200, 1, probe)
    assert loss_of(probe, fresh) < 0.8 * before
    right = FILM_LABELS.index(Label("pleural_effusion", "right"))
    told = logits_of(probe, fresh)[:, right].numpy()
    there = fresh.truth[:, right] > 0
    assert told[there].mean() > told[~there].mean() + 0.5
    assert torch.equal(probe.patches.weight, patches)


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> CaseSet:
    films, kept = tmp_path_factory.mktemp("films"), tmp_path_factory.mktemp("kept")
    write_phantoms(films, 24, seed=9, split="train", workers=1)
    return load_cases(FolderData(films, 0.9), kept, seed=1, edge=64, on_message=print).validation


def test_a_backbone_without_a_probe_gets_one_in_a_folder_of_its_own(cases, tmp_path):
    base = toy_base(tmp_path / "base")
    told: list[str] = []
    rest = refit_probe_on_half(base, cases, tmp_path / "taught", told.append)
    taught = load_backbone(tmp_path / "taught")
    assert taught.probe_findings([cases.film(0)]) is not None
    assert load_backbone(base).probe_findings([cases.film(0)]) is None
    assert 0 < len(rest) < len(cases)
    assert "cross-entropy" in told[0]


def test_a_probe_is_never_put_in_the_place_of_another_backbone(cases, tmp_path):
    base = toy_base(tmp_path / "base")
    with pytest.raises(SettingsError, match="--out"):
        refit_probe(base, cases, base, 0, print)
    assert (base / "model.safetensors").is_file()


def test_cases_that_name_no_finding_teach_no_probe(cases, tmp_path):
    nothing = CaseSet(tuple(TrainingCase(c.patient) for c in cases.cases), cases.pictures)
    with pytest.raises(SettingsError, match="reports or labels"):
        refit_probe(toy_base(tmp_path / "base"), nothing, tmp_path / "out", 0, print)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def filed(tmp_path_factory, assistant):
    write_phantoms(tmp_path_factory.getbasetemp() / "floor", 32, seed=77, split="train", workers=1)
    with Assistant.load(library=tmp_path_factory.mktemp("floor-library")) as loaded:
        add_folder(loaded.backbone, loaded.library, tmp_path_factory.getbasetemp() / "floor")
        yield loaded


def test_cases_over_the_floor_agree_with_a_film_better_than_those_under_it(filed):
    made = [make_phantom(5, number, "A", "validation") for number in range(12)]
    known = CaseSet(
        tuple(TrainingCase(str(i), claims=find_assertions(p.report)) for i, p in enumerate(made)),
        Pictures([np.stack([p.film for p in made])]),
    )
    floor = fit_similarity_floor(filed, known, seed=0)
    assert floor is not None
    shares = {True: [], False: []}
    for index, phantom in enumerate(made):
        true = {
            (a.finding, a.side) for a in find_assertions(phantom.report) if a.polarity == "present"
        }
        for near in filed.similar(known.film(index), 32):
            said = {
                (a.finding, a.side) for a in find_assertions(near.report) if a.polarity == "present"
            }
            shares[near.similarity >= floor].append(len(true & said) / max(1, len(true | said)))
    assert np.mean(shares[True]) > 1.5 * np.mean(shares[False])


def test_a_film_that_no_case_is_like_enough_has_no_similar_cases(filed):
    study = Study((film_of(make_phantom(5, 0, "A", "validation").film),))
    ((drafted,),) = [list(filed.signals_of_drafts([study], DraftOptions(floor=1.1)))]
    assert all(signals.neighbours is None for claims in drafted for _, signals in claims.claims)
    assert filed.similar(study)


def test_too_small_a_library_has_no_floor(assistant, cases):
    assert fit_similarity_floor(assistant, cases, seed=0) is None


def test_a_library_is_calibrated_on_as_it_is_and_none_of_its_cases_is_its_own_neighbour(
    assistant, filed, tmp_path
):
    folder = tmp_path / "library"
    with Library.open(folder, encoder=filed.backbone.encoder_id, dim=filed.backbone.dim) as own:
        loaded = Assistant(filed.backbone, own)
        source = tmp_path / "films"
        write_phantoms(source, 6, seed=3, split="train", workers=1)
        add_folder(loaded.backbone, loaded.library, source)
        known, told = load_cases_with_truth(CalibrationFilms(folder, 5), tmp_path / "work", print)
        assert (len(known), told) == (5, "cases of the library library")
        assert all(case.claims for case in known.cases)
        for index, case in enumerate(known.cases):
            found = [near.case for near in loaded.similar(known.film(index), 6)]
            assert case.library_id not in found
            assert len(found) == 5
