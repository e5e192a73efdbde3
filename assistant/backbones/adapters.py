"""LoRA adapters on a frozen base: found, checked against it, and switched for each call.

An adapter is a PEFT folder with a card that says which base it was trained on. This module knows
nothing of the base but its modules' names.
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
# What else PEFT offers would change the base for the other tasks, or cannot share a batch.
PLAIN = {
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
    """One adapter as it lies on the disk, its card read."""

    task: str
    folder: Path
    sha256: str  # of its weights
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """What the provenance calls it."""
        return f"{self.task}@{self.sha256[:12]}"


def weights_sha256(folder: Path) -> str:
    """SHA-256 over a checkpoint's weights: of its one file, or of all its shards in order.

    Raises BackboneError where there are none in the safetensors format.
    """
    whole = folder / "model.safetensors"
    files = [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))
    if not files:
        raise BackboneError(
            f"The folder {folder.name!r} holds no model.safetensors; "
            "name a checkpoint saved in the safetensors format."
        )
    return sha256_of(files)


def sha256_of(files: Sequence[Path]) -> str:
    """SHA-256 over several files as if they were one."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def find_adapters(
    base: Path, given: Sequence[Path] = (), *, own: bool = True
) -> tuple[Adapter, ...]:
    """The adapters in `base/adapters/<task>`, each replaced by the given folder of its task.

    With `own` False there are none but the given. Raises BackboneError for a folder that is no
    adapter or was trained on another base.
    """
    places = [base / "adapters" / task for task in TASKS] if own else []
    folders = [folder for folder in places if folder.is_dir()]
    if not folders and not given:
        return ()
    revision = weights_sha256(base)
    found: dict[str, Adapter] = {}
    for folder in (*folders, *given):
        adapter = _read(Path(folder))
        if folder in folders and adapter.task != folder.name:
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


def _read(folder: Path) -> Adapter:
    missing = [name for name in (CONFIG, WEIGHTS, CARD) if not (folder / name).is_file()]
    if missing:
        raise BackboneError(
            f"The adapter folder {folder.name!r} lacks {', '.join(missing)}; "
            "name a folder that `wetread train` has written."
        )
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        whole = card["task"] in TASKS and all(
            isinstance(card["base"][key], str) for key in ("name", "revision")
        )
        odd = [key for key, plain in PLAIN.items() if config.get(key, plain[0]) not in plain]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole, odd, card = False, [], {}
    if not whole:
        raise BackboneError(
            f"The card of the adapter in {folder.name!r} does not name its task and its base; "
            "get the adapter again."
        )
    if odd:
        raise BackboneError(
            f"The adapter in {folder.name!r} is no plain LoRA ({', '.join(odd)}), "
            "and only plain LoRA can be switched and mixed in a batch; train it so."
        )
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    return Adapter(card["task"], folder, digest, card)


def adapter_weights(adapted: Any, name: str = "default") -> dict[str, Any]:
    """The weights of one adapter of a PEFT model, by the names that its file has."""
    from peft import get_peft_model_state_dict

    # Whether to save the embeddings too PEFT would decide by asking the hub about the base.
    return get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False)


def current_weight(linear: Any) -> Any:
    """The weight (out, in) that a linear layer computes with now: its own and its adapter's."""
    if not hasattr(linear, "get_delta_weight"):
        return linear.weight
    weight = linear.get_base_layer().weight
    active = () if linear.disable_adapters else linear.active_adapters
    for name in active:
        if name in linear.lora_A:
            weight = weight + linear.get_delta_weight(name).to(weight.dtype)
    return weight


class Adapters:
    """A frozen model with its adapters; every call says which of them it uses."""

    def __init__(self, model: Any, found: Sequence[Adapter], frozen: Sequence[str] = ()) -> None:
        """Put the adapters into `model`, in place; without any the model stays as it is.

        No adapter may touch a part of the model whose name begins with one of `frozen`: what
        is computed there serves every task. Raises BackboneError for one that does, or that
        does not fit the model.
        """
        self._model = model
        self._peft: Any = None
        self._set: str | None = None
        self._found = {adapter.task: adapter for adapter in found}
        for adapter in found:
            self._load(adapter, tuple(frozen))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter."""
        return tuple(self._found)

    def name(self, task: str | None) -> str | None:
        """What the provenance calls the adapter of a task; None for the base alone."""
        return self._known(task).name if task is not None else None

    @contextmanager
    def switched_to(self, task: str | None) -> Iterator[None]:
        """Within it the model computes with the adapter of one task, or as the base alone."""
        if task is not None:
            self._known(task)
            if self._set != task:  # PEFT goes through the whole model each time
                self._peft.set_adapter(task, inference_mode=True)
                self._set = task
            yield
        elif self._peft is None:
            yield
        else:
            with self._peft.disable_adapter():
                yield

    def _known(self, task: str) -> Adapter:
        if task not in self._found:
            raise BackboneError(
                f"The backbone has no adapter for the task {task!r}; it has "
                f"{', '.join(self._found) or 'none'}."
            )
        return self._found[task]

    def _load(self, adapter: Adapter, frozen: tuple[str, ...]) -> None:
        from peft import PeftModel
        from peft.tuners.lora import LoraLayer

        folder, device = str(adapter.folder), str(self._model.device)
        try:
            with warnings.catch_warnings():
                # PEFT says what transformers has renamed; a missing weight is looked for below.
                warnings.simplefilter("ignore")
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(
                        self._model, folder, adapter.task, torch_device=device
                    )
                else:
                    self._peft.load_adapter(folder, adapter.task, torch_device=device)
            held = set(adapter_weights(self._peft, adapter.task))
            with safe_open(adapter.folder / WEIGHTS, framework="numpy") as file:
                fits = set(file.keys()) == held
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
            fits = False
        touched = [
            name
            for name, module in self._model.named_modules()
            if isinstance(module, LoraLayer) and name.startswith(frozen)
        ]
        if not fits or (frozen and touched):
            why = f"it changes {touched[0]}" if fits else "its weights have other names or shapes"
            raise BackboneError(
                f"The adapter in {adapter.folder.name!r} does not fit this backbone ({why}); "
                "train it again on this base."
            )
