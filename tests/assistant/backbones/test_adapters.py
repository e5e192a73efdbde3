"""LoRA adapters on a toy base: learnt, switched, mixed, refused, and traced to what they wrote."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import run
from toy_janus import recipe, toy_base

from adapters.adapter_recipe import (
    PhantomData,
)
from adapters.lora.train import train_adapter
from assistant import Assistant
from assistant.backbones.loading import load_backbone
from assistant.backbones.protocols import Sampling
from assistant.cases.ingest import add_folder
from assistant.errors import BackboneError, SettingsError
from assistant.types import PaintRequest


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    from assistant.chest.phantoms import write_phantoms

    folder = tmp_path_factory.mktemp("films")
    write_phantoms(folder, 16, seed=77, split="train", workers=1)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return toy_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapted(base, films, tmp_path_factory) -> Path:
    """A copy of the toy base with its three adapters where `wetread train` puts them."""
    home = tmp_path_factory.mktemp("adapted") / "toy"
    shutil.copytree(base, home)
    work, said = tmp_path_factory.mktemp("work"), []
    phantoms = PhantomData(train=6, validation=3, seed=4, sites=("A", "C"))
    for task, data in (("report", None), ("answer", phantoms), ("image", None)):
        plan = recipe(task, films, **({"data": data} if data else {}))
        train_adapter(plan, home, work, home / "adapters" / task, said.append)
    assert sum("held out: validation loss" in line for line in said) == 3
    return home


@pytest.fixture(scope="module")
def backbone(adapted):
    return load_backbone(adapted)


@pytest.fixture(scope="module")
def encoded(backbone, films):
    from assistant.intake import read_film

    return backbone.encode([read_film(p) for p in sorted((films / "images").iterdir())[:4]])


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_each_adapter_is_three_files_and_a_card_that_says_where_it_comes_from(adapted, base):
    assert weights(adapted) == weights(base)
    for task in ("report", "answer", "image"):
        folder = adapted / "adapters" / task
        assert sorted(p.name for p in folder.iterdir()) == [
            "adapter_config.json",
            "adapter_model.safetensors",
            "card.json",
        ]
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        assert card["task"] == task
        assert card["base"] == {"name": "toy0", "revision": weights(base)}
        assert len(card["data"]["sha256"]) == 64
        assert card["data"]["patients"] == card["data"]["cases"] > 0
        assert card["recipe"]["lora"]["rank"] == 4
        assert card["licence"].startswith("Apache-2.0")
        assert np.isfinite(card["metrics"]["validation_loss"])
        text = json.dumps(card) + (folder / "adapter_config.json").read_text(encoding="utf-8")
        assert str(adapted.parent) not in text  # where things lay on this machine
    figures = json.loads((adapted / "adapters" / "answer" / "card.json").read_text("utf-8"))
    assert 0 <= figures["metrics"]["exact_accuracy"] <= 1


def test_a_mixed_batch_writes_what_every_row_writes_alone(backbone, encoded):
    requests = ["Write the report of this chest film.", "Question: Is there a nodule?"] * 2
    tasks = ["report", "answer", None, "report"]
    sampling = Sampling(max_tokens=24)
    mixed = [w.text for w in backbone.write(encoded, requests, sampling, tasks)]
    alone = [
        backbone.write([e], [r], sampling, [t])[0].text
        for e, r, t in zip(encoded, requests, tasks, strict=True)
    ]
    assert mixed == alone
    same_film = backbone.write([encoded[0]] * 3, requests[:1] * 3, sampling, tasks[:3])
    assert len({w.text for w in same_film}) == 3  # each adapter has its own say


def test_the_base_alone_writes_as_if_it_had_no_adapters(base, backbone, encoded):
    bare = load_backbone(base)
    assert bare.tasks == ()
    requests, sampling = ["Describe this chest film."] * 4, Sampling(max_tokens=16)
    backbone.write(encoded[:1], requests[:1], sampling, ["report"])  # leaves nothing behind
    said = [w.text for w in backbone.write(encoded, requests, sampling)]
    assert said == [w.text for w in bare.write(encoded, requests, sampling)]
    with pytest.raises(BackboneError, match="no adapter for the task 'report'"):
        bare.write(encoded[:1], requests[:1], sampling, ["report"])


def test_encoding_is_the_same_with_and_without_adapters(base, backbone, films):
    from assistant.intake import read_film

    film = read_film(next((films / "images").iterdir()))
    one, other = load_backbone(base).encode([film])[0], backbone.encode([film])[0]
    assert np.array_equal(one.embedding, other.embedding)


def test_the_image_adapter_paints_and_the_site_is_part_of_the_wish(base, backbone):
    settings_ = {"count": 1, "seed": 1, "guidance": 2.0, "temperature": 0.9}
    bare = load_backbone(base).paint(PaintRequest("Cardiomegaly.", **settings_))[0]
    painted = backbone.paint(PaintRequest("Cardiomegaly.", **settings_))[0]
    assert not np.array_equal(bare, painted)
    elsewhere = backbone.paint(PaintRequest("Cardiomegaly.", **settings_, site="C"))[0]
    assert not np.array_equal(painted, elsewhere)
    made = Assistant(backbone).paint("Cardiomegaly.")[0]
    assert made.provenance.adapter.startswith("image@")


def test_a_draft_uses_its_adapter_and_what_similar_cases_show(adapted, films, tmp_path):
    with Assistant.load(adapted, tmp_path / "library") as assistant:
        add_folder(assistant.backbone, assistant.library, films)
        film = sorted((films / "images").iterdir())[0]
        with_cases, without = (assistant.draft(film, neighbours=k) for k in (3, 0))
        plain = [assistant.draft(film, neighbours=k, use_adapter=False) for k in (3, 0)]
    assert with_cases.provenance.adapter.startswith("report@")
    assert len(with_cases.neighbours) == 3
    hashes = [r.provenance.prompt_sha256 for r in (with_cases, without, *plain)]
    assert hashes[0] != hashes[1] == hashes[2] == hashes[3]  # the base is told of no case
    assert [r.provenance.adapter for r in plain] == [None, None]
    assert plain[0].text() == plain[1].text()


def test_an_answer_names_its_adapter_and_compares_only_with_a_prior(backbone, films, capfd):
    assistant = Assistant(backbone)
    film = sorted((films / "images").iterdir())[0]
    answer = assistant.ask(film, "  Is there\na nodule? ")
    assert answer.question == "Is there a nodule?"
    assert answer.provenance.adapter.startswith("answer@")
    assert answer.gate.reason
    assert answer == type(answer)(
        **{
            **{k: getattr(answer, k) for k in answer.__slots__},
            "text": assistant.ask(film, "Is there a nodule?").text,
        }
    )
    refused = assistant.ask(film, "Is there a new effusion?")
    assert "No earlier film" in refused.text
    assert refused.removed
    prior = "There is a small right pleural effusion."
    told = assistant.ask(film, "Is there a new effusion?", prior_report=prior)
    assert "No earlier film" not in told.text
    assert told.provenance.prompt_sha256 != refused.provenance.prompt_sha256
    for bad in (" ", "x" * 501):
        with pytest.raises(SettingsError, match="character"):
            assistant.ask(film, bad)


def test_the_command_line_asks_and_takes_an_adapter_folder(adapted, base, films, capfd, tmp_path):
    film = sorted((films / "images").iterdir())[0]
    prior = tmp_path / "prior.txt"
    prior.write_text("The lungs are clear.", encoding="utf-8")
    asked = ("ask", film, "Is there a nodule?", "--backbone", base, "--json")
    bare = run(capfd, *asked)
    assert bare.code == 2
    assert "no adapter that answers" in bare.err
    adapter = adapted / "adapters" / "answer"
    outcome = run(capfd, *asked, "--adapter", adapter, "--prior-report", prior)
    assert json.loads(outcome.out)["provenance"]["adapter"].startswith("answer@")
    assert run(capfd, *asked, "--prior-report", tmp_path / "none.txt").code == 2
    assert "not for clinical use" in run(capfd, *asked[:-1], "--adapter", adapter).out
    report = adapted / "adapters" / "report"
    drafted = run(capfd, "draft", film, "--backbone", base, "--adapter", report, "--json")
    assert json.loads(drafted.out)["provenance"]["adapter"].startswith("report@")


def test_a_given_folder_takes_the_place_of_the_task_s_own(adapted, films, tmp_path):
    plan = recipe("report", films, seed=9)
    other = train_adapter(plan, adapted, tmp_path / "work", tmp_path / "other")
    chosen = load_backbone(adapted, adapters=(other,))
    assert chosen.tasks == ("report", "answer", "image")
    own, given_ = (b.identity_for("report").adapter for b in (load_backbone(adapted), chosen))
    assert own != given_


def spoilt(folder: Path, name: str, change) -> None:
    table = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps(change(table)), encoding="utf-8")


SPOILS = {
    "another base": lambda f: spoilt(
        f, "card.json", lambda c: c | {"base": {"name": "other", "revision": "0" * 64}}
    ),
    "no card": lambda f: (f / "card.json").unlink(),
    "a card of nothing": lambda f: (f / "card.json").write_text("[]", encoding="utf-8"),
    "an unknown task": lambda f: spoilt(f, "card.json", lambda c: c | {"task": "sing"}),
    "DoRA": lambda f: spoilt(f, "adapter_config.json", lambda c: c | {"use_dora": True}),
    "another kind": lambda f: spoilt(f, "adapter_config.json", lambda c: c | {"peft_type": "IA3"}),
    "other shapes": lambda f: spoilt(f, "adapter_config.json", lambda c: c | {"r": 3}),
    "other layers": lambda f: spoilt(
        f, "adapter_config.json", lambda c: c | {"target_modules": ["q_proj"]}
    ),
    "the encoder's layers": lambda f: spoilt(
        f, "adapter_config.json", lambda c: c | {"target_modules": ["fc1"]}
    ),
    "cut short": lambda f: (f / "adapter_model.safetensors").write_bytes(b"\0" * 40),
    "pickled weights": lambda f: (f / "adapter_model.safetensors").rename(f / "adapter_model.bin"),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_an_adapter_that_does_not_fit_is_refused_in_one_sentence(adapted, tmp_path, spoil):
    folder = tmp_path / "mine"
    shutil.copytree(adapted / "adapters" / "report", folder)
    SPOILS[spoil](folder)
    with pytest.raises(BackboneError) as refused:
        load_backbone(adapted, adapters=(folder,))
    assert "mine" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_adapters_of_one_base_are_refused_on_another(adapted, tmp_path):
    other = toy_base(tmp_path / "other", seed=1)
    shutil.copytree(adapted / "adapters", other / "adapters")
    with pytest.raises(BackboneError, match="trained on another base"):
        load_backbone(other)
