"""Finds LoRA adapters, checks them against their frozen base, and switches them for each call.

An adapter is a PEFT folder with a card that names the base it was trained on. This module knows
only the names of the base's modules.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import safe_open

from assistant.backbones.adapter_files import TASKS, WEIGHTS, Adapter, read_adapter
from assistant.backbones.whole import Refusal, check_finite, check_keys, shown_name
from assistant.errors import BackboneError


def weights_sha256(folder: Path) -> str:
    """SHA-256 over a checkpoint's weights: its single file, or all its shards in order.

    Raises BackboneError where there are none in the safetensors format.
    """
    single_file = folder / "model.safetensors"
    files = [single_file] if single_file.is_file() else sorted(folder.glob("model-*.safetensors"))
    if not files:
        raise BackboneError(
            f"The folder {folder.name!r} holds no model.safetensors; "
            "name a checkpoint saved in the safetensors format."
        )
    return sha256_of(files)


def sha256_of(files: Sequence[Path]) -> str:
    """SHA-256 over the contents of several files, one after another."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def find_adapters(
    base: Path, folders: Sequence[Path] = (), *, include_own: bool = True
) -> tuple[Adapter, ...]:
    """Find the adapters in `base/adapters/<task>` and in `folders`, which take precedence.

    There is one adapter a task. With `include_own` False only `folders` count. Raises
    BackboneError for a folder that is no adapter or was trained on another base.
    """
    candidates = [base / "adapters" / task for task in TASKS] if include_own else []
    own_folders = [folder for folder in candidates if folder.is_dir()]
    if not own_folders and not folders:
        return ()
    revision = weights_sha256(base)
    found: dict[str, Adapter] = {}
    for folder in (*own_folders, *folders):
        adapter = read_adapter(Path(folder))
        if folder in own_folders and adapter.task != folder.name:
            raise BackboneError(
                f"The adapter in {folder.parent.parent.name}/adapters/{folder.name} is for the "
                f"task {adapter.task!r}; put it in the folder of its task."
            )
        trained_on = adapter.card["base"]["revision"]
        if trained_on != revision:
            other = f"{shown_name(adapter.card['base']['name'])} {shown_name(trained_on)[:12]}"
            raise BackboneError(
                f"The adapter {folder.name!r} was trained on another base ({other}, and this one "
                f"is {base.name} {revision[:12]}); train it again on this base."
            )
        found[adapter.task] = adapter
    return tuple(found[task] for task in TASKS if task in found)


def adapter_weights(adapted: Any, name: str = "default") -> dict[str, Any]:
    """The weights of one adapter of a PEFT model, by their names in its file."""
    from peft import get_peft_model_state_dict

    # Left to itself, PEFT asks the hub about the base to decide whether to save the embeddings.
    return get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False)


def current_weight(linear: Any) -> Any:
    """The weight (out, in) that a linear layer uses now: its own plus its active adapters'."""
    if not hasattr(linear, "get_delta_weight"):
        return linear.weight
    weight = linear.get_base_layer().weight
    active = () if linear.disable_adapters else linear.active_adapters
    for name in active:
        if name in linear.lora_A:
            weight = weight + linear.get_delta_weight(name).to(weight.dtype)
    return weight


class Adapters:
    """A frozen model with its adapters; every call names the one that it uses."""

    def __init__(self, model: Any, adapters: Sequence[Adapter], frozen: Sequence[str] = ()) -> None:
        """Load the adapters into `model`, in place; without any the model stays as it is.

        No adapter may change a part of the model whose name begins with one of `frozen`: what
        is computed there serves every task. Raises BackboneError for an adapter that does, or
        that does not fit the model.
        """
        self._model = model
        self._peft: Any = None
        self._active_task: str | None = None
        self._by_task = {adapter.task: adapter for adapter in adapters}
        for adapter in adapters:
            self._load(adapter, tuple(frozen))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter."""
        return tuple(self._by_task)

    def name_for(self, task: str | None) -> str | None:
        """The provenance's name of a task's adapter; None for the base alone."""
        return self._adapter_for(task).name if task is not None else None

    @contextmanager
    def switched_to(self, task: str | None) -> Iterator[None]:
        """Context in which the model uses the adapter of one task, or the base alone."""
        if task is not None:
            self._adapter_for(task)
            if self._active_task != task:  # PEFT goes through the whole model each time
                self._peft.set_adapter(task, inference_mode=True)
                self._active_task = task
            yield
        elif self._peft is None:
            yield
        else:
            with self._peft.disable_adapter():
                yield

    def _adapter_for(self, task: str) -> Adapter:
        if task not in self._by_task:
            raise BackboneError(
                f"The backbone has no adapter for the task {task!r}; it has "
                f"{', '.join(self._by_task) or 'none'}."
            )
        return self._by_task[task]

    def _load(self, adapter: Adapter, frozen: tuple[str, ...]) -> None:
        from peft import PeftModel
        from peft.tuners.lora import LoraLayer

        folder, device = str(adapter.folder), str(self._model.device)
        shown = f"the adapter in {adapter.folder.name!r}"
        with (
            warnings.catch_warnings(),
            Refusal(
                f"The{shown[3:]} does not fit this backbone ({{}}: its configuration names other "
                "layers, or options of another PEFT); train it again on this base."
            ),
        ):
            # PEFT warns of what transformers has renamed; its weights are checked below.
            warnings.simplefilter("ignore")
            options = {"torch_device": device, "ignore_mismatched_sizes": True}
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(self._model, folder, adapter.task, **options)
            else:
                self._peft.load_adapter(folder, adapter.task, **options)
            with safe_open(adapter.folder / WEIGHTS, framework="pt") as file:
                stored = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        loaded = adapter_weights(self._peft, adapter.task)
        check_keys(
            shown,
            missing=loaded.keys() - stored.keys(),
            unexpected=stored.keys() - loaded.keys(),
            mismatched=[
                name
                for name in loaded.keys() & stored.keys()
                if list(loaded[name].shape) != list(stored[name])
            ],
            advice="train it again on this base",
        )
        check_finite(shown, loaded)
        frozen_changed = [
            name
            for name, module in self._model.named_modules()
            if isinstance(module, LoraLayer) and name.startswith(frozen)
        ]
        if frozen and frozen_changed:
            raise BackboneError(
                f"The{shown[3:]} does not fit this backbone (it changes {frozen_changed[0]}); "
                "train it again on this base."
            )
