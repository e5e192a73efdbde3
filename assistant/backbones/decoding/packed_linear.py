"""Linear layers whose weights lie in the memory layout that the CPU multiplies fastest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from assistant.backbones.device import has_bfloat16

LinearOp = Callable[[torch.Tensor], torch.Tensor]  # x (N, in) to (N, out)

_HAS_BFLOAT16 = has_bfloat16()
_HAS_ONEDNN = torch.backends.mkldnn.is_available()
_HAS_AVX512 = bool(torch.cpu.get_capabilities().get("avx512_f"))
_MAX_PACKED_SIZE = 1 << 20  # numbers in a weight that may be stored in two layouts
_PACKED_ROWS = 32  # batch size for which oneDNN lays out a weight; larger batches lose nothing


def linear_op_of(weights: Sequence[torch.Tensor], *, exclusive: bool = False) -> LinearOp:
    """One product by several weights, each (out, in), with their outputs concatenated.

    A model's own parameters become views of the joined weight, so that a large model is not stored
    twice. `exclusive` promises that nothing else will compute with them: they may then be emptied.
    """
    joined = torch.cat([weight.detach() for weight in weights])
    parameters = [weight for weight in weights if isinstance(weight, nn.Parameter)]
    if _is_native_bfloat16(joined) and (exclusive or not parameters):
        for weight in parameters:
            weight.data = weight.new_empty(0)
        return _make_packed_op(joined, 1)
    parts = joined.split([len(weight) for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        if isinstance(weight, nn.Parameter):
            weight.data = part
    return _make_switching_op(joined)


def head_op_of(weight: torch.Tensor) -> LinearOp:
    """The product by a weight that stays in use elsewhere."""
    return (
        _make_packed_op(weight.detach(), 1)
        if _is_native_bfloat16(weight)
        else _make_switching_op(weight.detach())
    )


def pack_linear(module: nn.Module) -> None:
    """Replace a module's small layers without adapters by ones that are faster for batches."""
    for name, child in module.named_children():
        if type(child) is nn.Linear and _is_worth_packing(child.weight):
            setattr(module, name, _Linear(child))
        elif not hasattr(child, "get_delta_weight"):
            pack_linear(child)


class _Linear(nn.Module):
    """A linear layer in oneDNN's layout."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._op = _make_packed_op(linear.weight.detach(), _PACKED_ROWS, linear.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._op(x)


def _is_native_bfloat16(weight: torch.Tensor) -> bool:
    """Whether oneDNN has its own layout for this weight: one row then takes half the time."""
    on_cpu = weight.dtype == torch.bfloat16 and weight.device.type == "cpu"
    return on_cpu and _HAS_BFLOAT16 and _HAS_ONEDNN


def _is_worth_packing(weight: torch.Tensor) -> bool:
    """Whether a copy in oneDNN's layout is worth its memory: it speeds up several rows."""
    on_cpu = weight.dtype == torch.float32 and weight.device.type == "cpu"
    return on_cpu and weight.numel() <= _MAX_PACKED_SIZE and _HAS_AVX512 and _HAS_ONEDNN


def _make_packed_op(weight: torch.Tensor, rows: int, bias: torch.Tensor | None = None) -> LinearOp:
    """The product by a weight in oneDNN's layout for a batch of `rows`."""
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")


def _make_switching_op(weight: torch.Tensor) -> LinearOp:
    """The product by a weight: as stored for one row, in oneDNN's layout for several."""
    plain_op = _make_plain_op(weight)
    if not _is_worth_packing(weight):
        return plain_op
    packed_op = _make_packed_op(weight, _PACKED_ROWS)
    return lambda x: plain_op(x) if len(x) == 1 else packed_op(x)


def _make_plain_op(weight: torch.Tensor) -> LinearOp:
    """The product by a weight as it is stored."""
    is_bfloat16 = weight.dtype == torch.bfloat16 and weight.device.type == "cpu"

    def product(x: torch.Tensor) -> torch.Tensor:
        if is_bfloat16 and len(x) == 1 and not _HAS_BFLOAT16:  # faster than `F.linear` for one row
            return torch.mv(weight, x[0])[None]
        return F.linear(x, weight)

    return product
