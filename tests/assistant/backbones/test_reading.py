"""What the probe reads in a film, and that the writer is told it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_janus import TOY, toy_base

from adapters.data.phantom_arrays import CHANNELS, FILM_LABELS, reading_of
from adapters.pretrain.embedding import fit_label_thresholds
from assistant import Assistant
from assistant.backbones.loading import load_backbone
from assistant.backbones.probe.probe import Probe
from assistant.backbones.protocols import Sampling
from assistant.chest.phantoms import make_phantom, truth_assertions, tube_positions
from assistant.chest.wording.reduction import reduce_claims
from assistant.drafting.draft import count_mismatches
from assistant.intake import read_film
from assistant.labeller.labeller import find_assertions
from assistant.labeller.summary import probe_summary as words_of
from assistant.prompts import report_request
from assistant.types import Assertion, Film

PLAIN = [i for i, label in enumerate(FILM_LABELS) if not label.degrees]


def probe(seed: int = 0) -> Probe:
    torch.manual_seed(seed)
    return Probe(TOY.vision_width, FILM_LABELS, CHANNELS).eval()


def logits(on: set[int]) -> torch.Tensor:
    return torch.tensor([[4.0 if i in on else -4.0 for i in range(len(FILM_LABELS))]])


@settings(max_examples=60, deadline=None)
@given(on=st.sets(st.sampled_from(PLAIN), max_size=8))
def test_a_reading_says_all_that_the_probe_sees_and_nothing_else(on):
    words = words_of(probe().findings_of(logits(on))[0])
    labels = [FILM_LABELS[i] for i in on]
    # A finding at a place is not named again without it, nor with what it implies.
    expected = reduce_claims(Assertion(x.finding, "present", x.side, x.zone) for x in labels)
    read = reduce_claims(find_assertions(words))
    assert [(a.finding, a.side, a.zone) for a in read] == [
        (a.finding, a.side, a.zone) for a in expected
    ]
    assert (words == "no finding") == (not expected)


@pytest.mark.parametrize(
    ("on", "words"),
    [
        ({("pleural_effusion", "right", ())}, "small right pleural effusion"),
        (
            {
                ("pleural_effusion", "right", ()),
                ("pleural_effusion", "right", ("moderate", "large")),
            },
            "moderate right pleural effusion",
        ),
        (
            {
                ("cardiomegaly", None, ()),
                ("cardiomegaly", None, ("moderate", "large")),
                ("cardiomegaly", None, ("large",)),
            },
            "large cardiomegaly",
        ),
        ({("cardiomegaly", None, ("large",))}, "no finding"),  # a degree of nothing is nothing
        (
            {("endotracheal_tube", None, ()), ("endotracheal_tube", None, ("too low",))},
            "too low endotracheal tube",
        ),
    ],
)
def test_a_reading_tells_the_highest_degree_that_is_seen(on, words):
    chosen = {i for i, x in enumerate(FILM_LABELS) if (x.finding, x.side, x.degrees) in on}
    assert words_of(probe().findings_of(logits(chosen))[0]) == words


def test_training_and_drafting_put_the_same_reading_in_the_same_words():
    from adapters.data.phantom_arrays import _record_of, _targets_of

    for index in range(12):
        phantom = make_phantom(5, index)
        _, labels = _targets_of(phantom)
        seen = probe().findings_of(logits(set(labels.nonzero()[0].tolist())))[0]
        assert words_of(seen) == reading_of(_record_of(phantom))
        assert bool(tube_positions(phantom)) == ("endotracheal tube" in words_of(seen))
        assert truth_assertions(phantom) or words_of(seen) == "no finding"


def test_places_of_one_finding_share_a_threshold_where_f1_is_best():
    made = probe()
    columns = [i for i, x in enumerate(FILM_LABELS) if x.finding == "nodule"]
    labels = torch.zeros(40, len(FILM_LABELS))
    chances = torch.full((40, len(FILM_LABELS)), 0.1)
    for row, column in enumerate(columns):
        labels[row, column], chances[row, column] = 1, 0.3
    fit_label_thresholds(made, torch.logit(chances), labels.numpy().astype("uint8"))
    assert all(0.1 < float(made.thresholds[i]) < 0.3 for i in columns)
    untouched = [i for i, x in enumerate(FILM_LABELS) if x.finding == "mass"]
    assert all(float(made.thresholds[i]) == 0.5 for i in untouched)


@pytest.fixture(scope="module")
def bases(tmp_path_factory) -> tuple[Path, Path]:
    """The same base without a probe and with one."""
    bare, sighted = (tmp_path_factory.mktemp(name) / "base" for name in ("bare", "sighted"))
    for folder in (bare, sighted):
        toy_base(folder)
    probe().save(sighted / "probe.safetensors")
    return bare, sighted


def test_the_writer_is_told_what_the_probe_reads_and_nothing_without_a_probe(bases):
    bare, sighted = (load_backbone(folder) for folder in bases)
    film = Film((make_phantom(3, 1).film / 255).astype("float32"), "0" * 64)
    assert bare.probe_findings([film]) is None
    assert sighted.probe_findings([film]) == sighted.probe_encoded(sighted.encode([film]))
    asked: list[str] = []

    class Listening:
        def __init__(self, backbone):
            self._backbone = backbone

        def __getattr__(self, name):
            return getattr(self._backbone, name)

        def write(self, encoded, requests, *rest):
            asked.extend(requests)
            return self._backbone.write(encoded, requests, *rest)

    for backbone in (bare, sighted):
        Assistant(Listening(backbone)).draft(film)  # type: ignore[arg-type]
    assert "Reading" not in asked[0]
    assert asked[1].endswith(f"Reading: {words_of((sighted.probe_findings([film]) or [()])[0])}.")
    assert json.loads((bases[0] / "card.json").read_text())["name"] == "toy0"


SLIPS = [
    ("small right pleural effusion", "There is a small right pleural effusion.", 0),
    ("small right pleural effusion", "Right pleural effusion.", 0),
    ("small right pleural effusion", "Large right pleural effusion.", 2),
    ("small right pleural effusion", "Left pleural effusion.", 2),
    ("small right pleural effusion", "No pleural effusion.", 1),
    ("small right pleural effusion", "Right pleural effusion. No pleural effusion.", 1),
    ("small right pleural effusion", "Right pleural effusion. No left pleural effusion.", 0),
    ("small right pleural effusion", "Right pleural effusion. Left pneumothorax.", 1),
    ("no finding", "No acute cardiopulmonary process.", 0),
    ("no finding", "Cardiomegaly.", 1),
    ("right upper zone nodule, cardiomegaly", "Right lower zone nodule. Cardiomegaly.", 2),
]


@pytest.mark.parametrize(("told", "said", "count"), SLIPS)
def test_a_slip_is_what_is_lacking_or_was_not_told(told, said, count):
    assert count_mismatches(find_assertions(told), find_assertions(said)) == count


def test_a_draft_slips_no_more_than_the_first_that_was_written(assistant, phantoms):
    films = [read_film(path) for path in sorted((phantoms / "images").glob("*.png"))[:8]]
    drafts = list(assistant.draft_many(films, neighbours=0))
    encoded = assistant.backbone.encode(films)
    readings = [words_of(seen) for seen in assistant.backbone.probe_encoded(encoded) or ()]
    requests = [report_request("", (), reading) for reading in readings]
    first = assistant.backbone.write(encoded, requests, Sampling(), ["report"] * len(films))
    for reading, draft, one in zip(readings, drafts, first, strict=True):
        told = find_assertions(reading)
        said = [a for sentence in draft.sentences for a in sentence.assertions]
        assert count_mismatches(told, said) <= count_mismatches(told, find_assertions(one.text))
