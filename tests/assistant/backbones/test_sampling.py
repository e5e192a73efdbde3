"""What Wetread writes and paints token by token is what transformers' own `generate` does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, inject_adapter_in_model
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    GenerationMixin,
    JanusForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
)

from assistant.backbones.decoding.llama import Decoder, DecodingBatch
from assistant.backbones.decoding.packed_linear import head_op_of, linear_op_of, pack_linear
from assistant.backbones.decoding.sampling import (
    GenerationSettings,
    generate_texts,
    row_uniforms,
    sample_token,
)
from assistant.backbones.loading import backbone_folder
from assistant.backbones.protocols import Sampling
from assistant.errors import BackboneError, Stopped
from assistant.intake import read_film
from assistant.prompts import film_prompt, paint_prompt, report_request
from assistant.types import PaintRequest

FINDINGS = ("small right pleural effusion", "cardiomegaly; left basal consolidation", "normal")


@pytest.fixture(scope="module")
def backbone(assistant):
    return assistant.backbone


@pytest.fixture(scope="module")
def peer():
    """The same weights in transformers' own class, and their tokenizer."""
    folder = backbone_folder("mini")
    model = JanusForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def encoded(backbone, phantoms):
    films = [read_film(path) for path in sorted((phantoms / "images").glob("*.png"))[:3]]
    return backbone.encode(films)


@torch.inference_mode()
def generated(peer, features: torch.Tensor, request: str) -> str:
    """What transformers writes about a film greedily, as a plain script would have it."""
    model, tokenizer = peer
    ids = tokenizer(film_prompt(tokenizer, len(features), request), return_tensors="pt")[
        "input_ids"
    ]
    vectors = model.get_input_embeddings()(ids)
    place = (ids == model.config.image_token_id)[..., None].expand_as(vectors)
    out = GenerationMixin.generate(
        model,
        inputs_embeds=vectors.masked_scatter(place, model.model.aligner(features[None])),
        attention_mask=torch.ones_like(ids),
        generation_config=GenerationConfig(
            max_new_tokens=60,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
    )
    return tokenizer.decode(out[0], skip_special_tokens=True)


def test_a_text_is_the_one_that_transformers_writes_alone(backbone, peer, encoded):
    requests = [report_request("Cough" * n, (), told) for n, told in enumerate(FINDINGS)]
    rows = [(code, request) for code in encoded for request in requests]
    written = backbone.write(*zip(*rows, strict=True), Sampling(max_tokens=60))
    alone = [generated(peer, code.features, request) for code, request in rows]
    assert [one.text for one in written] == alone
    assert len(set(alone)) > 3


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_painting_has_the_tokens_that_transformers_paints(peer, tmp_path, guidance):
    from shutil import copytree, ignore_patterns

    from assistant.backbones.janus.backbone import JanusBackbone

    base = tmp_path / "mini"  # the base alone: transformers does not know the adapter
    copytree(backbone_folder("mini"), base, ignore=ignore_patterns("adapters"))
    model, tokenizer = peer
    prompt = tokenizer(
        [paint_prompt(tokenizer, "Cardiomegaly.")], return_tensors="pt", add_special_tokens=False
    )
    with torch.inference_mode():
        tokens = model.generate(
            **prompt,
            generation_mode="image",
            generation_config=GenerationConfig(
                do_sample=False,
                guidance_scale=max(guidance, 1.0 + 1e-9),  # at 1 it would leave its rows doubled
                max_length=prompt["input_ids"].shape[1] + 256,
                bos_token_id=tokenizer.bos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                generation_kwargs={
                    "boi_token_id": tokenizer.convert_tokens_to_ids(tokenizer.boi_token)
                },
            ),
        )
        theirs = model.decode_image_tokens(tokens).mean(dim=-1)[0].add(1).div(2).clamp(0, 1)
    backbone = JanusBackbone(base)
    backbone.reference = {}  # no grain
    ours = backbone.paint(PaintRequest("Cardiomegaly.", guidance=guidance, temperature=0.0))
    assert np.array_equal(ours[0], theirs.numpy())


def test_a_drawn_text_does_not_depend_on_what_else_is_written(backbone, encoded):
    requests = [report_request("", (), told) for told in FINDINGS]
    sampling = Sampling(seed=4, temperature=0.9)
    rows = [(c, r) for c in encoded for r in requests for _ in range(3)]
    together = [w.text for w in backbone.write(*zip(*rows, strict=True), sampling)]
    alone = [
        w.text
        for c in encoded
        for r in requests
        for w in backbone.write([c] * 3, [r] * 3, sampling)
    ]
    assert together == alone
    assert len(set(together)) > len(encoded) * len(requests)  # drawn, and not all alike


@pytest.fixture(scope="module")
def language():
    """A small Llama whose queries share their keys."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "intermediate_size": 96, "vocab_size": 40, "head_dim": 8}
    config = LlamaConfig(
        **sizes,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    return LlamaForCausalLM(config).eval()


@torch.inference_mode()
def written_on(
    language, prompts: Sequence[Sequence[int]], counts: Sequence[int], temperature: float = 0.0
) -> list[list[int]]:
    decoder = Decoder(language.model, lambda linear: linear.weight)
    embed = language.get_input_embeddings()
    prefixes = decoder.prefill([embed(torch.tensor(prompt)) for prompt in prompts])
    wanted = GenerationSettings(
        embed, language.lm_head, max_tokens=12, end_token=3, temperature=temperature
    )
    ends = np.cumsum(counts)
    numbered = [list(range(end - n, end)) for end, n in zip(ends, counts, strict=True)]
    drawn = None
    if temperature > 0:
        lines = [
            row_uniforms(1, str(prompt), n, 12)
            for prompt, count in zip(prompts, counts, strict=True)
            for n in range(count)
        ]
        drawn = np.stack(lines)
    return [text.ids for text in generate_texts(decoder, prefixes, numbered, wanted, drawn)]


prompts = st.lists(st.integers(4, 39), min_size=1, max_size=9)


@settings(deadline=None, max_examples=40)
@given(given=st.lists(st.tuples(prompts, st.integers(1, 3)), min_size=1, max_size=5))
def test_rows_of_any_lengths_and_numbers_write_what_each_writes_alone(language, given):
    asked, counts = [prompt for prompt, _ in given], [count for _, count in given]
    together = written_on(language, asked, counts)
    config = GenerationConfig(max_new_tokens=12, eos_token_id=3, pad_token_id=0)
    alone = []
    for prompt, count in given:
        with torch.inference_mode():
            ids = torch.tensor([prompt])
            mask = torch.ones_like(ids)
            out = language.generate(ids, attention_mask=mask, generation_config=config)
            out = out[0, len(prompt) :].tolist()
        alone += [out[: out.index(3)] if 3 in out else out] * count
    assert together == alone


@settings(deadline=None, max_examples=20)
@given(given=st.lists(st.tuples(prompts, st.integers(1, 4)), min_size=2, max_size=4))
def test_rows_that_are_drawn_go_their_own_way(language, given):
    unlike = {tuple(prompt): count for prompt, count in given}
    together = written_on(language, list(unlike), list(unlike.values()), temperature=1.0)
    alone = [
        ids
        for prompt, count in unlike.items()
        for ids in written_on(language, [prompt], [count], temperature=1.0)
    ]
    assert together == alone


def test_a_request_that_is_too_long_is_one_sentence(backbone, encoded):
    with pytest.raises(BackboneError, match="shorten"):
        backbone.write(encoded[:1], [report_request("why " * 1000)], Sampling())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_products_are_those_of_the_weights_in_whatever_form_they_are_kept(dtype, rows):
    draw = torch.Generator().manual_seed(rows)
    weights = [torch.randn(n, 48, generator=draw).to(dtype) for n in (32, 16)]
    x = torch.randn(rows, 48, generator=draw).to(dtype)
    wanted = torch.cat([x.double() @ weight.double().T for weight in weights], dim=1)
    parameters = [torch.nn.Parameter(weight.clone()) for weight in weights]
    for product in (
        linear_op_of(weights),
        linear_op_of(parameters),
        head_op_of(torch.cat(weights)),
    ):
        torch.testing.assert_close(product(x).double(), wanted, rtol=2e-2, atol=0.15)
    assert all(torch.equal(p, w) for p, w in zip(parameters, weights, strict=True))
    alone = linear_op_of(parameters, exclusive=True)
    torch.testing.assert_close(alone(x).double(), wanted, rtol=2e-2, atol=0.15)


@pytest.mark.parametrize("adapted", [True, False])
def test_packed_layers_compute_what_they_did_and_leave_those_of_adapters_alone(adapted):
    torch.manual_seed(0)
    layers = [torch.nn.Linear(48, 32), torch.nn.GELU(), torch.nn.Linear(32, 16, bias=False)]
    model = torch.nn.Sequential(torch.nn.Sequential(*layers[:2]), layers[2]).eval()
    if adapted:
        inject_adapter_in_model(LoraConfig(target_modules=["0.0"], init_lora_weights=False), model)
    x = torch.randn(2, 5, 48)
    with torch.no_grad():
        before = model(x)
        pack_linear(model)
        torch.testing.assert_close(model(x), before)
    assert layers[2] not in model.modules() or not torch.cpu.get_capabilities().get("avx512_f")
    assert (layers[0] in model.modules()) >= adapted


@pytest.mark.parametrize("groups", [2, 4])
def test_a_bfloat16_model_says_what_it_says_in_float32(groups):
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=groups,
        vocab_size=64,
        max_position_embeddings=64,
    )
    torch.manual_seed(groups)
    model = LlamaModel(config).eval()
    prompts = [torch.randn(n, 32) for n in (9, 5)]
    made = {}
    for dtype in (torch.float32, torch.bfloat16):
        decoder = Decoder(model.to(dtype), lambda linear: linear.weight)
        rows = DecodingBatch(decoder, decoder.prefill([p.to(dtype) for p in prompts]), 1, 3)
        made[dtype] = torch.stack([rows.step(rows.last_hidden) for _ in range(3)]).float()
    torch.testing.assert_close(*made.values(), rtol=0.1, atol=0.1)


@pytest.fixture
def two_threads():
    """Torch with two threads, however many the tests have."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_a_small_model_writes_one_film_in_one_thread_and_gives_the_others_back(backbone, encoded):
    request, threads = report_request(""), []

    def note(_: str) -> None:
        threads.append(torch.get_num_threads())

    backbone.write(encoded[:1], [request], Sampling(), ["report"], note)
    assert 1 in threads
    assert torch.get_num_threads() == 2

    def stop(_: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        backbone.write(encoded[:1], [request], Sampling(), ["report"], stop)
    assert torch.get_num_threads() == 2


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), least=st.floats(0.0, 1.0))
def test_no_token_is_drawn_that_is_far_less_probable_than_the_most_probable(seed, least):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 3, (8, 30))).float()
    tokens, log_probabilities = sample_token(logits, 1.0, torch.from_numpy(rng.random(8)), least)
    chances = logits.softmax(dim=-1)
    drawn = chances.gather(1, tokens[:, None])[:, 0]
    assert bool((drawn >= 0.999 * least * chances.amax(dim=-1)).all())
    assert torch.allclose(log_probabilities, drawn.log(), atol=1e-4)
