"""Measurements of a film: what they say, what they withhold, and how far they can be trusted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adapters.data.phantom_measurements import measurements_of
from adapters.pretrain.measurements import FEWEST, fit_measurements
from assistant.backbones.probe.measurements import MeasurementModel
from assistant.chest.phantoms import make_phantom
from assistant.errors import BackboneError
from assistant.evidence.collect import gather_sources
from assistant.evidence.rules import judge_sentences
from assistant.types import Film, GeneratedText, Measurement, MeasurementTarget, ProbeOutput, Study

RATIO = MeasurementTarget("cardiothoracic ratio", "cardiomegaly", None, False, 0.03, 0.5)
HEIGHT = MeasurementTarget("height", "pleural_effusion", "right", True, 0.02)
FILM = Film(np.zeros((200, 100), np.float32), "0" * 64, spacing_mm=(2.0, 2.0))


def said(text: str, look: ProbeOutput, film: Film = FILM) -> list[tuple[str, str]]:
    written = GeneratedText(text, ((0, len(text)),), (-0.1,))
    ground = gather_sources(look, (), (), Study((film,)))
    (sentence,) = judge_sentences(written, ground, has_prior=False)[0]
    return [(e.says, e.detail) for e in sentence.evidence if e.kind == "measurement"]


def look(*measured: Measurement) -> ProbeOutput:
    return ProbeOutput((), {}, measured)


def test_a_measurement_speaks_for_or_against_with_its_error():
    large, normal = (look(Measurement(RATIO, value)) for value in (0.6, 0.4))
    (found,) = said("The heart is enlarged.", large)
    assert found == ("supports", "Measured cardiothoracic ratio: 0.60, give or take 0.03.")
    assert said("The heart is enlarged.", normal)[0][0] == "contradicts"
    assert said("The heart is not enlarged.", normal)[0][0] == "supports"
    assert said("The heart is not enlarged.", large)[0][0] == "contradicts"


def test_a_length_is_told_in_mm_and_only_where_the_spacing_is_known():
    effusion = look(Measurement(HEIGHT, 0.1))
    text = "There is a right pleural effusion."
    (found,) = said(text, effusion)
    # The longer edge is 200 pixels of 2 mm.
    assert "40 mm, give or take 8 mm" in found[1]
    assert not said(text, effusion, replace(FILM, spacing_mm=None))
    assert not said("There is a left pleural effusion.", effusion)
    assert not said("No pleural effusion.", effusion)


def test_a_line_is_found_and_its_error_holds_nine_in_ten():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 12))
    truth = 0.5 + 0.05 * x[:, 3] + rng.normal(0, 0.01, 900)
    told = [{"cardiomegaly//cardiothoracic_ratio": float(t)} for t in truth]
    measures = fit_measurements(x[:400], told[:400], x[400:600], told[400:600])
    (one,) = measures.targets
    taken = np.array([measures.measure(row[:5], row[5:])[0].value for row in x[600:]])
    within = np.abs(taken - truth[600:]) <= one.error
    assert 0.85 <= within.mean() <= 0.95
    assert one.error < 0.02


def test_what_too_few_films_have_is_not_measured():
    told = [{"nodule//diameter_mm": 0.1}] * (FEWEST - 1)
    features = np.random.default_rng(0).normal(size=(FEWEST - 1, 6))
    measures = fit_measurements(features, told, features, told)
    assert measures.targets == ()
    assert measures.measure(features[0, :2], features[0, 2:]) == ()


def test_measures_are_kept_and_a_damaged_file_is_one_sentence(tmp_path):
    path = tmp_path / "measures.safetensors"
    MeasurementModel([RATIO], np.ones((1, 4)), np.array([0.1])).save(path)
    (found,) = MeasurementModel.load(path).measure(np.ones(2), np.ones(2))
    assert found.target == RATIO
    assert found.value == pytest.approx(4.1)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BackboneError, match="measures"):
        MeasurementModel.load(path)


def test_of_a_phantom_the_truth_is_measured_in_parts_of_its_edge():
    for index in range(12):
        phantom = make_phantom(5, index)
        found = measurements_of(phantom)
        assert found["cardiomegaly//cardiothoracic_ratio"] == phantom.cardiothoracic_ratio
        assert all(abs(value) < 1 for value in found.values())
        tall = [x for x in phantom.lesions if x.finding == "pleural_effusion"]
        assert all(f"pleural_effusion/{x.side}/height_mm" in found for x in tall)
