"""Any text-to-image pipeline of diffusers as painter: a Stable Diffusion, random and tiny."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from toy_janus import WORDS
from toy_vlms import tokenizer
from transformers import CLIPTextConfig, CLIPTextModel

from assistant.backbones.diffusion.painter import DiffusionPainter
from assistant.backbones.diffusion.settings import DiffusionSettings
from assistant.errors import BackboneError, SettingsError, Stopped
from assistant.types import PaintRequest

STEPS = 3
PROMPT = "Left mid zone nodule."


def toy_pipeline(folder: Path, width: int = 8) -> Path:
    """Write a random Stable Diffusion that paints 32 x 32 pixels; another width, another base."""
    torch.manual_seed(0)
    words = tokenizer({})
    words.model_max_length = 24
    unet = UNet2DConditionModel(
        block_out_channels=(width, 2 * width),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
    )
    vae_of: Any = AutoencoderKL
    vae = vae_of(
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=32,
    )
    config_of: Any = CLIPTextConfig
    config = config_of(
        vocab_size=len(words), hidden_size=16, intermediate_size=24, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=24, bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    pipeline_of: Any = StableDiffusionPipeline
    pipeline_of(
        vae=vae,
        text_encoder=CLIPTextModel(config),
        tokenizer=words,
        unet=unet,
        scheduler=DDIMScheduler(num_train_timesteps=100, steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: openrail\n---\nA toy.\n", encoding="utf-8")
    return folder


def toy_lora(base: Path, folder: Path) -> Path:
    """Write a random LoRA of a toy's UNet, as diffusers' own training saves it."""
    unet = UNet2DConditionModel.from_pretrained(base / "unet")
    unet.add_adapter(LoraConfig(r=2, lora_alpha=8, target_modules=["to_q", "to_v", "to_out.0"]))
    torch.manual_seed(1)
    for name, weight in unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    weights: dict[str, Any] = get_peft_model_state_dict(unet)
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=weights)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return toy_pipeline(tmp_path_factory.mktemp("diffusion") / "toy-sd")


@pytest.fixture(scope="module")
def painter(base) -> DiffusionPainter:
    return DiffusionPainter(settings(base))


def settings(folder: Path, **changes) -> DiffusionSettings:
    plain = DiffusionSettings(str(folder), steps=STEPS, device="cpu")
    return replace(plain, **changes)


def films(
    painter: DiffusionPainter, count: int = 1, on_progress=None, **changes
) -> list[np.ndarray]:
    request = PaintRequest(PROMPT, count=count, seed=3)
    return painter.paint(replace(request, **changes), on_progress)


def test_a_film_is_grey_in_range_and_what_the_pipeline_itself_paints(base, painter):
    (film,) = films(painter)
    assert film.dtype == np.float32
    assert film.shape == (32, 32)
    assert 0 <= film.min() < film.max() <= 1
    pipeline = StableDiffusionPipeline.from_pretrained(base)
    seed = int(np.random.SeedSequence([3, 0]).generate_state(1, np.uint64)[0] >> 1)
    made = pipeline(
        PROMPT,
        num_inference_steps=STEPS,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(seed),
        output_type="np",
    )
    assert np.array_equal(film, np.asarray(made.images)[0].mean(axis=-1))  # pyright: ignore


def test_a_film_depends_on_seed_and_number_but_not_on_how_many_are_painted(painter):
    three = films(painter, 3)
    assert np.array_equal(films(painter)[0], three[0])
    assert all(np.array_equal(a, b) for a, b in zip(films(painter, 2), three, strict=False))
    assert not np.array_equal(three[0], three[1])
    assert not np.array_equal(films(painter, seed=4)[0], three[0])


def test_guidance_and_prompt_change_a_film_and_temperature_does_not(painter):
    (film,) = films(painter)
    assert not np.array_equal(films(painter, guidance=1.0)[0], film)
    other = painter.paint(PaintRequest("No nodule.", seed=3))[0]
    assert not np.array_equal(other, film)
    assert np.array_equal(films(painter, temperature=0.0)[0], film)


def test_progress_counts_the_steps_of_all_films_and_what_it_raises_ends_the_painting(painter):
    heard: list[tuple[int, int]] = []
    films(painter, 2, on_progress=lambda *done: heard.append(done))
    assert heard == [(i, 2 * STEPS) for i in range(1, 2 * STEPS + 1)]
    before = films(painter)[0]

    def stop(done: int, of: int) -> None:
        if done == STEPS + 1:
            raise Stopped

    with pytest.raises(Stopped):
        films(painter, 2, on_progress=stop)
    assert np.array_equal(films(painter)[0], before)


def test_the_identity_is_of_the_weights_and_names_the_licence(base, painter, tmp_path):
    identity = painter.identity
    assert identity.name == "toy-sd"
    assert identity.licence == "openrail"
    assert identity.adapter is None
    assert painter.tasks == ()
    moved = Path(shutil.copytree(base, tmp_path / "toy-sd"))
    (moved / "README.md").unlink()
    again = DiffusionPainter(settings(moved)).identity
    assert again.revision == identity.revision
    assert again.licence.startswith("unknown")
    other = DiffusionPainter(settings(toy_pipeline(tmp_path / "other", width=16))).identity
    assert other.revision != identity.revision


def test_a_lora_changes_the_films_and_is_named(base, painter, tmp_path):
    folder = toy_lora(base, tmp_path / "lora")
    adapted = DiffusionPainter(settings(base, adapter=str(folder)))
    assert not np.allclose(films(adapted)[0], films(painter)[0], atol=1e-3)
    assert adapted.tasks == ("image",)
    assert adapted.identity == painter.identity
    named = adapted.identity_for("image").adapter
    assert named is not None
    assert named.startswith("image@")
    with pytest.raises(BackboneError, match="no adapter for the task 'report'"):
        adapted.identity_for("report")


def test_a_lora_that_does_not_fit_is_refused(base, tmp_path):
    wide = toy_pipeline(tmp_path / "wide", width=16)
    lora = toy_lora(base, tmp_path / "lora")
    with pytest.raises(BackboneError, match="does not fit this painter"):
        DiffusionPainter(settings(wide, adapter=str(lora)))
    with pytest.raises(BackboneError, match="holds 0 safetensors files"):
        DiffusionPainter(settings(base, adapter=str(tmp_path)))
    # diffusers itself would pass over weights that have no place, and paint as the base alone
    (path,) = lora.glob("*.safetensors")
    save_file({f"other.{k}": v for k, v in load_file(path).items()}, path)
    with pytest.raises(BackboneError, match="does not fit this painter"):
        DiffusionPainter(settings(base, adapter=str(lora)))


def test_what_is_no_painter_is_refused_in_one_sentence(base, tmp_path):
    for model in ("nowhere", "org/name", "org/name@" + "0" * 40):
        refused(DiffusionSettings(model))
    assert "holds no pipeline" in refused(settings(tmp_path))
    changed = Path(shutil.copytree(base, tmp_path / "changed"))
    index = json.loads((changed / "model_index.json").read_text(encoding="utf-8"))
    for kind, why in (
        ("StableDiffusionImg2ImgPipeline", "does not make a picture of words alone"),
        ("StableDiffusionInstructPix2PixPipeline", "does not make a picture of words alone"),
        (["pipeline", "OwnPipeline"], "no pipeline that diffusers can load"),
    ):
        told = json.dumps(index | {"_class_name": kind})
        (changed / "model_index.json").write_text(told, encoding="utf-8")
        assert why in refused(settings(changed))
    damaged = Path(shutil.copytree(base, tmp_path / "damaged"))
    weights = damaged / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "no pipeline that diffusers can load" in refused(settings(damaged))


def test_pickled_weights_are_not_loaded(base, tmp_path):
    pickled = Path(shutil.copytree(base, tmp_path / "pickled"))
    for part, name in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        (path,) = (pickled / part).glob("*.safetensors")
        kept = path.read_bytes()
        path.unlink()
        model = (UNet2DConditionModel if part == "unet" else CLIPTextModel).from_pretrained(
            base / part
        )
        named = "pytorch_model" if part == "text_encoder" else name
        torch.save(model.state_dict(), pickled / part / f"{named}.bin")
        assert "from safetensors" in refused(settings(pickled))
        path.write_bytes(kept)


def refused(told: DiffusionSettings) -> str:
    with pytest.raises(BackboneError) as caught:
        DiffusionPainter(told)
    text = str(caught.value)
    assert text.endswith(".")
    assert ". " not in text
    assert "\n" not in text
    return text


def test_a_prompt_is_read_whole_or_refused_and_never_logged(painter, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(BackboneError, match="reads 24 at most"):
        painter.paint(PaintRequest(WORDS, temperature=0.0))
    films(painter)
    assert "nodule" not in caplog.text
    with pytest.raises(BackboneError, match="knows no sites"):
        films(painter, site="A")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": " "}, "model"),
        ({"steps": 0}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"dtype": "int8"}, "dtype"),
        ({"download": "yes"}, "download"),
        ({"adapter": 3}, "adapter"),
    ],
)
def test_settings_that_do_not_hold_are_named(changes, named):
    with pytest.raises(SettingsError, match=f"`{named}`"):
        DiffusionSettings(**({"model": "x"} | changes))


def test_without_diffusers_it_says_what_to_install(base, monkeypatch):
    for name in ("diffusers", "diffusers.pipelines.pipeline_utils"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "wetread[diffusion]" in refused(settings(base))


def test_a_device_that_is_not_there_is_refused(base):
    assert "cannot be put on the device" in refused(settings(base, device="meteor"))
