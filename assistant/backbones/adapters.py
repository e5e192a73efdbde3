"""Finds LoRA adapters, checks them against their frozen base, and switches them for each call.

An adapter is a PEFT folder with a card that names the base it was trained on. This module knows
only the names of the base's modules.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from assistant.errors import BackboneError

TASKS = ("report", "answer", "image")
CONFIG, WEIGHTS, CARD = "adapter_config.json", "adapter_model.safetensors", "card.json"
# Other options of PEFT would change the base for the other tasks, or cannot share a batch.
PLAIN_LORA = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    "use_dora": (False,),
    "modules_to_save": (None, []),
    "init_lora_weights": (True, False, "gaussian"),
    "layer_replication": (None,),
    "trainable_token_indices": (None,),
}


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter folder on the disk, with its card."""

    task: str
    folder: Path
    sha256: str  # of its weights
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name in the provenance."""
        return f"{self.task}@{self.sha256[:12]}"


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
        adapter = _read_adapter(Path(folder))
        if folder in own_folders and adapter.task != folder.name:
            raise BackboneError(
                f"The adapter in {folder.parent.parent.name}/adapters/{folder.name} is for the "
                f"task {adapter.task!r}; put it in the folder of its task."
            )
        trained_on = adapter.card["base"]["revision"]
        if trained_on != revision:
            raise BackboneError(
                f"The adapter {folder.name!r} was trained on another base "
                f"({adapter.card['base']['name']} {str(trained_on)[:12]}, and this one is "
                f"{base.name} {revision[:12]}); train it again on this base."
            )
        found[adapter.task] = adapter
    return tuple(found[task] for task in TASKS if task in found)


def _read_adapter(folder: Path) -> Adapter:
    missing = [name for name in (CONFIG, WEIGHTS, CARD) if not (folder / name).is_file()]
    if missing:
        raise BackboneError(
            f"The adapter folder {folder.name!r} lacks {', '.join(missing)}; "
            "name a folder that `wetread train` has written."
        )
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        complete = card["task"] in TASKS and all(
            isinstance(card["base"][key], str) for key in ("name", "revision")
        )
        unsupported = [
            key for key, plain in PLAIN_LORA.items() if config.get(key, plain[0]) not in plain
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        complete, unsupported, card = False, [], {}
    if not complete:
        raise BackboneError(
            f"The card of the adapter in {folder.name!r} does not name its task and its base; "
            "get the adapter again."
        )
    if unsupported:
        raise BackboneError(
            f"The adapter in {folder.name!r} is no plain LoRA ({', '.join(unsupported)}), "
            "and only plain LoRA can be switched and mixed in a batch; train it so."
        )
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    return Adapter(card["task"], folder, digest, card)


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
        try:
            with warnings.catch_warnings():
                # PEFT warns of what transformers has renamed; missing weights are checked below.
                warnings.simplefilter("ignore")
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(
                        self._model, folder, adapter.task, torch_device=device
                    )
                else:
                    self._peft.load_adapter(folder, adapter.task, torch_device=device)
            loaded_names = set(adapter_weights(self._peft, adapter.task))
            with safe_open(adapter.folder / WEIGHTS, framework="numpy") as file:
                fits = set(file.keys()) == loaded_names
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
            fits = False
        frozen_changed = [
            name
            for name, module in self._model.named_modules()
            if isinstance(module, LoraLayer) and name.startswith(frozen)
        ]
        if not fits or (frozen and frozen_changed):
            reason = (
                f"it changes {frozen_changed[0]}"
                if fits
                else "its weights have other names or shapes"
            )
            raise BackboneError(
                f"The adapter in {adapter.folder.name!r} does not fit this backbone ({reason}); "
                "train it again on this base."
            )
