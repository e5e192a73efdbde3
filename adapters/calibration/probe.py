"""Retrains a backbone's probe on the user's films, and writes the backbone to a new folder.

Language model, painter and adapters stay as they are. What was fitted to the former probe is
removed: its risk, which `wetread calibrate` fits again, and its measurements, which need films
with known lengths.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from adapters.data.cases import CaseSet, TrainingCase, split_by_patient
from adapters.data.phantom_arrays import CHANNELS, FILM_LABELS
from adapters.pretrain.embedding import fit_label_thresholds, set_embedding_labels
from adapters.pretrain.probe import (
    ProbeDataset,
    cache_probe_features,
    logits_of,
    loss_of,
    train_probe,
)
from assistant.atomic import new_folder
from assistant.backbones.hashes import CARD, HASHES, hash_files
from assistant.backbones.janus.backbone import JanusBackbone
from assistant.backbones.janus.loading import read_card
from assistant.backbones.probe.measurements import MEASUREMENTS_FILE
from assistant.backbones.probe.probe import Label, Probe
from assistant.chest.phantoms import FINDINGS
from assistant.chest.places import BOTH
from assistant.chest.truth_check import is_false
from assistant.errors import SettingsError
from assistant.evidence.risk import FILE as RISK
from assistant.types import Assertion, Film, OnMessage

HELD_OUT_SHARE = 0.3  # of the patients: they set the thresholds, and show if the probe improved
PROBE = "probe.safetensors"
BLOCK = 16
PATCH_BIAS = -6.0  # of a probe without training: no patch shows a finding
FEWEST = 5  # films with a finding, below which its threshold stays


def refit_probe_on_half(
    folder: Path, cases: CaseSet, out: Path, on_message: OnMessage, seed: int = 0
) -> CaseSet:
    """Retrain the probe on half of the patients (`refit_probe`); return the cases of the others.

    The risk is then fitted on those others, so on films that the probe was not trained on.
    """
    patients = [case.patient for case in cases.cases]
    train, rest = split_by_patient(patients, [None] * len(patients), 0.5, seed)
    refit_probe(folder, cases.select(train), out, seed + 1, on_message)
    return cases.select(rest)


def refit_probe(folder: Path, cases: CaseSet, out: Path, seed: int, on_message: OnMessage) -> bool:
    """Retrain the probe of the backbone in `folder` on `cases`, and write the backbone to `out`.

    Returns whether the cross-entropy on held-out films improved; if not, the former probe is
    kept. A backbone without a probe gets one. Raises SettingsError if `out` exists already, or
    if the cases name no finding.
    """
    if out.exists() and any(out.iterdir()):
        raise SettingsError(f"{out} exists already; name a new folder with --out.")
    backbone = JanusBackbone(folder)
    patients = [case.patient for case in cases.cases]
    train, held_out = split_by_patient(patients, [None] * len(patients), HELD_OUT_SHARE, seed)
    old = Probe.load(folder / PROBE) if (folder / PROBE).is_file() else None
    probe = old or _build_empty_probe(backbone)
    train_set, held_out_set = (
        _build_dataset(backbone, probe, cases.select(part)) for part in (train, held_out)
    )
    if not np.nanmax(train_set.truth, initial=0) or not np.nanmax(held_out_set.truth, initial=0):
        raise SettingsError(
            "The cases name no finding that the probe knows; add reports or labels."
        )
    before = loss_of(probe, held_out_set)
    refitted = Probe(probe.heads.weight.shape[1], probe.labels, probe.channels, probe.learnt_dim)
    refitted.load_state_dict(probe.state_dict())
    train_probe(refitted, train_set, seed=seed)
    after = loss_of(refitted, held_out_set)
    is_better = old is None or after < before
    on_message(
        f"probe: cross-entropy {before:.4f} before and {after:.4f} after, on {len(held_out)} films "
        "of patients that it has not learnt from; "
        f"{'it is taken' if is_better else 'it stays as it was'}"
    )
    if is_better:
        fit_label_thresholds(
            refitted, logits_of(refitted, held_out_set), held_out_set.truth, FEWEST
        )
    _copy_backbone(folder, out, refitted if is_better else None)
    return is_better


def _build_empty_probe(backbone: JanusBackbone) -> Probe:
    """Build an untrained probe, whose patches show no finding."""
    blank = Film(np.zeros((64, 64), np.float32), "0" * 64)
    probe = Probe(backbone.encode([blank])[0].features.shape[1], FILM_LABELS, CHANNELS)
    nn.init.zeros_(probe.patches.weight)
    nn.init.constant_(probe.patches.bias, PATCH_BIAS)
    set_embedding_labels(probe, FINDINGS)
    return probe.eval()


def _build_dataset(backbone: JanusBackbone, probe: Probe, cases: CaseSet) -> ProbeDataset:
    def encode(films: Sequence[Film]) -> torch.Tensor:
        return torch.stack([encoding.features for encoding in backbone.encode(films)])

    def iterate_views() -> Iterator[tuple[torch.Tensor, torch.Tensor, np.ndarray]]:
        for start in range(0, len(cases), BLOCK):
            part = range(start, min(start + BLOCK, len(cases)))
            films = [cases.film(i) for i in part]
            mirror = [replace(f, pixels=np.ascontiguousarray(f.pixels[:, ::-1])) for f in films]
            truth = np.array([label_truth_of(cases.cases[i], probe.labels) for i in part])
            yield encode(films), encode(mirror), truth

    return cache_probe_features(len(cases), iterate_views())


def label_truth_of(case: TrainingCase, labels: Sequence[Label]) -> list[float]:
    """For each label 1 if the case's claims make it true, 0 if they make it false, else NaN.

    What a report does not mention is unknown, unless its claims are the whole truth of the film.
    """
    truth = []
    for label in labels:
        degrees = label.degrees or (None,)
        claims = [Assertion(label.finding, "present", label.side, label.zone, d) for d in degrees]
        wrong = [is_false(claim, case.claims, complete=case.complete) for claim in claims]
        if False in wrong:
            truth.append(1.0 if _states_label(label, case.claims) else float("nan"))
        else:
            truth.append(float("nan") if None in wrong else 0.0)
    return truth


def _states_label(label: Label, claims: Sequence[Assertion]) -> bool:
    """Whether a claim states the label's side, zone and degree, and does not only allow them."""
    present = [c for c in claims if c.finding == label.finding and c.polarity == "present"]
    return any(
        (label.side is None or c.side in (label.side, BOTH))
        and (label.zone is None or c.zone == label.zone)
        and (not label.degrees or c.degree in label.degrees)
        for c in present
    )


def _copy_backbone(folder: Path, out: Path, probe: Probe | None) -> None:
    """Copy the backbone's folder to `out`; a new probe replaces the former one and its fits."""
    with new_folder(out) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True)
        if probe is not None:
            for name in (RISK, MEASUREMENTS_FILE):
                (temporary / name).unlink(missing_ok=True)
            probe.save(temporary / PROBE)
            card = read_card(temporary)
            card[HASHES] = hash_files(temporary)
            (temporary / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
