"""Products by the weights of linear layers, in the form that the processor multiplies fastest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional as F

from assistant.backbones.devices import has_bfloat16

Product = Callable[[torch.Tensor], torch.Tensor]  # x (N, in) to (N, out)

_NATIVE = has_bfloat16()


def product_of(weights: Sequence[torch.Tensor], *, alone: bool = False) -> Product:
    """One product by several weights, each (out, in): all their outputs beside each other.

    A model's own parameters become parts of what is made, else a large model would be held twice.
    `alone` says that nothing else will compute with them: they may then be taken apart.
    """
    whole = torch.cat([weight.detach() for weight in weights])
    own = [weight for weight in weights if isinstance(weight, torch.nn.Parameter)]
    if _packs(whole) and (alone or not own):
        for weight in own:
            weight.data = weight.new_empty(0)
        return _packed(whole)
    parts = whole.split([len(weight) for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        if isinstance(weight, torch.nn.Parameter):
            weight.data = part
    return _plain(whole)


def head_of(weight: torch.Tensor) -> Product:
    """The product by a weight that others go on using."""
    return _packed(weight.detach()) if _packs(weight) else _plain(weight)


def _packs(weight: torch.Tensor) -> bool:
    """Whether oneDNN has its own order for such a weight: one row then takes half the time."""
    return weight.dtype == torch.bfloat16 and weight.device.type == "cpu" and _NATIVE


def _packed(weight: torch.Tensor) -> Product:
    made = torch.ops.mkldnn._reorder_linear_weight(weight, 1)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, made, None, "none", [], "")


def _plain(weight: torch.Tensor) -> Product:
    converted = weight.dtype == torch.bfloat16 and weight.device.type == "cpu"

    def product(x: torch.Tensor) -> torch.Tensor:
        if converted and len(x) == 1 and not _NATIVE:  # torch has a faster way for one row
            return torch.mv(weight, x[0])[None]
        return F.linear(x, weight)

    return product
