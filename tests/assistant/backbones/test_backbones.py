"""Backbones of other families, alone and put together: what they give, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from command import run
from conftest import REPO
from toy_vlms import toy_vlm

from adapters.adapter_recipe import Lora
from adapters.lora.card import write_adapter
from adapters.lora.model import add_adapter, find_linear_layers
from assistant import Assistant
from assistant.backbones.adapters import weights_sha256
from assistant.backbones.loading import backbone_folder, load_backbone
from assistant.backbones.protocols import Sampling
from assistant.backbones.settings import read_settings
from assistant.backbones.study_prompt import study_turn
from assistant.backbones.vlm.inputs import StudyChat
from assistant.errors import BackboneError, SettingsError, Stopped
from assistant.export.draft_json import draft_dict
from assistant.types import Film, Study

FAMILIES = ("gemma3", "qwen2_5_vl", "llava", "idefics3")
QUICK = ("gemma3", "qwen2_5_vl", "janus")  # films of one size, and of their own; a painter
COMMIT = "0123456789" * 4
SHORT = Sampling(max_tokens=8)


def families(*names: str) -> list:
    """The families by which a test is repeated, of which some take part in the quick run."""
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in names]


@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    for family in (*FAMILIES, "janus"):
        toy_vlm(family, folder / family)
    return folder


def film(index: int = 0) -> Film:
    from assistant.chest.phantoms import make_phantom

    pixels = make_phantom(6, index, split="validation").film.astype(np.float32) / 255
    return Film(pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


def settings(folder: Path, text: str) -> Path:
    path = folder / "backbone.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("family", families(*FAMILIES))
def test_any_family_drafts_and_answers_with_mini_checking(family, toys):
    assistant = Assistant(load_backbone(toys / family))
    prior = Study((film(1),), prior_report="Small right pleural effusion.")
    study = Study((film(), film(2)), "Cough.", prior, prior.prior_report)
    report = assistant.draft(study)
    json.dumps(draft_dict(report))
    revision = hashlib.sha256((toys / family / "model.safetensors").read_bytes()).hexdigest()
    assert report.provenance.revision.startswith(revision)
    for named in (f"{family} (writer; unknown", "mini (encoder; Apache-2.0"):
        assert named in report.provenance.backbone
    assert report.gate.answer == "pass"  # mini knows its phantoms
    assert all(s.risk is None and s.verdict == "unchecked" for s in report.sentences)
    assert assistant.ask(film(), "Is there an effusion?").gate.answer == "pass"
    with pytest.raises(BackboneError, match="cannot paint; name a"):
        assistant.paint("Cardiomegaly.")


@pytest.mark.parametrize("family", families(*FAMILIES, "janus"))
def test_a_text_is_the_same_in_a_batch_and_tells_of_every_token(family, toys):
    path = settings(toys / family, f'[writer]\nmodel = "{toys / family}"\ndtype = "float32"\n')
    backbone = load_backbone(path)
    codes = backbone.encode([film(), film(1)])
    requests = ["Report.", "Write a much longer report of this film, <pad> please."]
    heard: list[str] = []
    together = backbone.write(codes, requests, SHORT, on_text=heard.append)
    alone = backbone.write(codes[1:], requests[1:], SHORT)[0]
    assert together[1].text == alone.text
    assert together[1].log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-3)
    assert heard[-1] == together[0].text.rstrip("\ufffd")
    for one in together:
        assert len(one.spans) == len(one.log_probabilities) > 0
        assert all(log <= 0 for log in one.log_probabilities)
        assert [a for a, _ in one.spans][1:] == [b for _, b in one.spans][:-1]
        assert one.spans[-1][1] <= len(one.text)


@pytest.mark.parametrize("family", families(*FAMILIES))
def test_texts_of_one_film_go_on_from_one_reading_of_it(family, toys, monkeypatch):
    path = settings(toys / family, f'[writer]\nmodel = "{toys / family}"\ndtype = "float32"\n')
    backbone = load_backbone(path)
    a, b = backbone.encode([film(), film(1)])
    longer = "Write a much longer report of this film, please."
    alone = [backbone.write([c], [r], SHORT)[0] for c, r in ((a, "Report."), (b, longer))]
    read, inputs = [], StudyChat.make_inputs
    monkeypatch.setattr(
        StudyChat, "make_inputs", lambda *args: read.append(args[2]) or inputs(*args)
    )
    requests = ["Report.", longer, "Report.", "Report.", longer]
    written = backbone.write([a, b, a, a, b], requests, SHORT)
    assert [len(pictures) for pictures in read] == [2]
    for one, own in zip(written, [alone[i] for i in (0, 1, 0, 0, 1)], strict=True):
        assert one.text == own.text
        assert one.log_probabilities == pytest.approx(own.log_probabilities, abs=1e-3)


@pytest.mark.parametrize("family", families(*FAMILIES, "janus"))
def test_the_same_seed_draws_the_same_whatever_else_is_in_the_batch(family, toys):
    backbone = load_backbone(toys / family)
    code = backbone.encode([film()])[0]

    def drawn(rows: int, seed: int) -> list[str]:
        sampling = Sampling(seed, 1.0, 8)
        texts = backbone.write([code] * rows, ["Report."] * rows, sampling)
        return [one.text for one in texts]

    three = drawn(3, 1)
    assert len(set(three)) == 3
    assert drawn(2, 1) == three[:2]
    assert drawn(3, 2) != three


def test_what_the_hearer_raises_ends_the_writing(toys):
    backbone = load_backbone(toys / "llava")
    code = backbone.encode([film()])[0]

    def stop(text: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        backbone.write([code], ["Report."], SHORT, on_text=stop)
    assert backbone.write([code], ["Report."], SHORT)[0].text


def test_a_base_is_shown_the_whole_study_and_an_adapter_the_film_alone(toys):
    code = load_backbone().encode([film()])[0]
    report = "No pneumothorax. Left pleural effusion in Mr Doe."
    study = Study((film(), film(2)), prior=Study((film(1),)), prior_report=report)
    code = type(code)(study, code.features, code.embedding, code.profile)
    told, films = study_turn(code, "Report.", whole_study=True)
    assert [f.sha256 for f in films] == [film(i).sha256 for i in (1, 0, 2)]
    marks = [part["type"] for part in told[0]["content"]]
    assert marks.count("image") == 3
    words = " ".join(part.get("text", "") for part in told[0]["content"])
    assert "left pleural effusion" in words
    assert "Doe" not in words
    told, films = study_turn(code, "Report.", whole_study=False)
    assert [f.sha256 for f in films] == [film().sha256]


def adapter_for(base: Path, out: Path, task: str = "report") -> Path:
    from adapters.lora.vlm import load_base

    model, _ = load_base(base)
    lora = Lora(rank=2, alpha=4, dropout=0.0, targets=("all-linear",))
    adapted = add_adapter(model, lora, find_linear_layers(model))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    card = {"task": task, "base": {"name": base.name, "revision": weights_sha256(base)}}
    write_adapter(adapted, out, card)
    return out


def test_an_adapter_writes_on_its_own_base_only_and_is_named(toys, tmp_path):
    adapter = adapter_for(toys / "llava", tmp_path / "report")
    backbone = load_backbone(toys / "llava", [adapter])
    code = backbone.encode([film()])[0]
    bare, adapted = backbone.write([code] * 2, ["Report."] * 2, SHORT, [None, "report"])
    assert bare.log_probabilities != adapted.log_probabilities
    report = Assistant(backbone).draft(Study((film(),)))
    assert str(report.provenance.adapter).startswith("report@")
    with pytest.raises(BackboneError, match="trained on another base"):
        load_backbone(toys / "gemma3", [adapter])


def test_a_janus_of_others_encodes_writes_and_paints_but_vouches_for_nothing(toys):
    backbone = load_backbone(toys / "janus")
    code = backbone.encode([film()])[0]
    assert np.linalg.norm(code.embedding) == pytest.approx(1, abs=1e-5)
    assert code.embedding.shape == (backbone.dim,)
    assert backbone.probe_encoded([code]) is backbone.probe_details([code]) is None
    assistant = Assistant(backbone)
    report = assistant.draft(Study((film(),)))
    assert report.gate.answer == "unchecked"
    assert report.abstention
    assert {s.verdict for s in report.sentences} == {"unchecked"}
    assert draft_dict(report)["gate"]["answer"] == "unchecked"
    blank = Film(np.zeros((200, 200), np.float32), "0" * 64)
    assert assistant.draft(Study((blank,))).gate.answer == "refuse"  # of the pixels, all the same
    painting = assistant.paint("Cardiomegaly.")[0]
    assert painting.readback.verdict == "unchecked"
    assert painting.provenance.backbone == "janus"


def test_a_janus_of_others_sees_films_as_its_own_processor_makes_them(toys, tmp_path):
    moved = shutil.copytree(toys / "janus", tmp_path / "janus")
    path = moved / "processor_config.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["image_processor"]["image_mean"] = [0.1, 0.1, 0.1]
    path.write_text(json.dumps(told), encoding="utf-8")
    seen = [load_backbone(one).encode([film()])[0] for one in (toys / "janus", moved)]
    assert not np.allclose(seen[0].embedding, seen[1].embedding)


def test_parts_are_put_together_and_each_is_named(toys):
    path = settings(
        toys,
        '[encoder]\nmodel = "idefics3"\n[writer]\nmodel = "janus"\ndtype = "bfloat16"\n'
        '[painter]\nmodel = "mini"\n',
    )
    (toys / "janus" / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    backbone = load_backbone(path)
    assert [word in backbone.identity.name for word in ("janus (writer; mit)", "idefics3 (encoder",
            "mini (painter; Apache-2.0")] == [True] * 3  # fmt: skip
    assistant = Assistant(backbone)
    report = assistant.draft(Study((film(),)))
    assert report.gate.answer == "unchecked"
    assert "mini" not in report.provenance.backbone  # it has painted nothing here
    painting = assistant.paint("Cardiomegaly.")[0]
    assert painting.provenance.backbone.startswith("mini (painter; Apache-2.0")
    assert str(painting.provenance.adapter).startswith("image@")
    (toys / "janus" / "README.md").unlink()


def test_mini_put_together_from_its_parts_is_mini(assistant, toys):
    again = Assistant(load_backbone(settings(toys, '[writer]\nmodel = "mini"\n')))
    study = Study((film(),))
    made = [draft_dict(one.draft(study, neighbours=0)) for one in (assistant, again)]
    for one in made:
        one["provenance"].pop("time")
        one["provenance"].pop("library")
    assert made[0] == made[1]
    assert made[0]["sentences"][0]["risk"] is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[writr]\nmodel = 'mini'", "unknown key.*writr; known are risk, encoder, writer, painter"),
        ("[writer]\nmodle = 'mini'", r"unknown key in \[writer\].*modle; known are model,"),
        ("[writer]\n", r"\[writer\].*lacks the key model"),
        ("[writer]\nmodel = 3", r"model in \[writer\].*must be a text"),
        ("writer = 'mini'", "must be a table"),
        ("[writer]\nmodel = 'mini'\nquantise = '2bit'", "one of: 8bit, 4bit"),
        ("[writer]\nmodel = 'mini'\nadapters = 'x'", "adapters.*must be a list"),
        ("[writer]\nmodel = 'mini'\ndownload = 'yes'", "download.*true or false"),
        ("[writer]\nmodel = 'mini'\nmax_tokens = 0", "max_tokens = 0 must be"),
        ("[writer]\nmodel = 'mini'\nkind = 'magic'", "kind.*one of: checkpoint, server"),
        ("[writer]\nurl = 'nowhere'\nmodel = 'x'", r"In \[writer\].*`url` must be"),
        ("[painter]\nkind = 'diffusion'\nmodel = 'x'\nsteps = true", "steps.*whole number"),
        ("[encoder", "not valid TOML"),
    ],
)
def test_a_settings_file_that_does_not_hold_is_told_by_table_and_key(text, says, tmp_path):
    with pytest.raises(SettingsError, match=says) as told:
        read_settings(settings(tmp_path, text))
    assert "\n" not in str(told.value)


def test_paths_in_a_settings_file_are_seen_from_it(tmp_path):
    (tmp_path / "ours").mkdir()
    text = "risk = 'r.json'\n[writer]\nmodel = 'ours'\nadapters = ['a']"
    read = read_settings(settings(tmp_path, text))
    assert read.risk == tmp_path / "r.json"
    assert read.writer.model == str(tmp_path / "ours")
    assert read.writer.adapters == (tmp_path / "a",)  # type: ignore[union-attr]


def test_what_cannot_be_loaded_is_told_in_one_sentence(toys, tmp_path):
    gpu = torch.cuda.is_available()
    cases = [
        ('[painter]\nmodel = "llava"', r"'llava' in \[painter\] writes and cannot paint"),
        ('[writer]\nmodel = "janus"\nquantise = "8bit"', "is a Janus, which knows no quantise"),
        ('[writer]\nmodel = "org/name"', "must name the commit"),
        (f'[writer]\nmodel = "org/name@{COMMIT}"', "does not lie whole in the local cache"),
        ('[writer]\nmodel = "no such"', "There is no backbone"),
    ]
    if not gpu:
        cases.append(('[writer]\nmodel = "llava"\nquantise = "4bit"', "needs a GPU"))
    for text, says in cases:
        with pytest.raises(BackboneError, match=says) as told:
            load_backbone(settings(toys, text))
        assert "\n" not in str(told.value)
    pickled = shutil.copytree(toys / "llava", tmp_path / "pickled")
    weights = pickled / "model.safetensors"
    torch.save({}, pickled / "pytorch_model.bin")
    weights.unlink()
    unknown = shutil.copytree(toys / "llava", tmp_path / "unknown")
    (unknown / "config.json").write_text(
        '{"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}', encoding="utf-8"
    )
    mute = shutil.copytree(toys / "llava", tmp_path / "mute")
    (mute / "chat_template.jinja").unlink()
    (tmp_path / "empty").mkdir()
    for name, says in (
        ("pickled", "safetensors"),
        ("unknown", "does not know without running the checkpoint's own code"),
        ("mute", "no chat template"),
        ("empty", "lacks config.json"),
    ):
        with pytest.raises(BackboneError, match=says) as told:
            load_backbone(tmp_path / name)
        assert str(tmp_path) not in str(told.value)


def test_a_checkpoint_of_the_local_cache_is_found_by_its_commit(toys, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    held = tmp_path / "models--org--toy" / "snapshots" / COMMIT
    shutil.copytree(toys / "llava", held)
    (held / "README.md").write_text(
        "---\nlicense: other\nlicense_name: health-ai\n---\n", encoding="utf-8"
    )
    assert backbone_folder(f"org/toy@{COMMIT}") == held
    identity = load_backbone(f"org/toy@{COMMIT}").identity
    assert "org/toy (writer; health-ai)" in identity.name
    assert identity.revision.startswith(COMMIT)


class Hub(BaseHTTPRequestHandler):
    """A hub on loopback that has one gated repository, and no other."""

    def do_GET(self) -> None:
        gated = "org/gated" in self.path
        self.send_response(403 if gated else 404)
        self.send_header("X-Error-Code", "GatedRepo" if gated else "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Keep silent."""


def test_gated_and_absent_checkpoints_are_told_with_what_to_do(tmp_path):
    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = (
        "import sys\n"
        "from assistant.backbones.hub import find_checkpoint\n"
        "from assistant.errors import BackboneError\n"
        "for name in sys.argv[1:]:\n"
        "    try: find_checkpoint(name, download=True)\n"
        "    except BackboneError as error: print(error)\n"
    )
    own = {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "0",
    }
    names = [f"org/{name}@{COMMIT}" for name in ("gated", "absent")]
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        cwd=REPO, env=os.environ | own, capture_output=True, text=True, check=True,
    )  # fmt: skip
    server.shutdown()
    server.server_close()
    told = done.stdout.splitlines()
    assert len(told) == 2, done
    assert "is gated: accept its licence on its page" in told[0]
    assert "does not exist on the hub, or is private" in told[1]


def test_the_command_line_takes_a_settings_file_and_refuses_in_one_sentence(toys, phantoms, capfd):
    image = str(next((phantoms / "images").glob("*.png")))
    path = settings(toys, '[writer]\nmodel = "gemma3"\n')
    done = run(capfd, "draft", image, "--backbone", path, "--json")
    assert done.code == 0, done
    assert "gemma3 (writer" in json.loads(done.out)["provenance"]["backbone"]
    done = run(capfd, "paint", "Nodule.", "--backbone", toys / "llava", "--out", toys / "p")
    assert (done.code, len(done.err.strip().splitlines())) == (2, 1), done.err
    assert "cannot paint" in done.err
