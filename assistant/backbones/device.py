"""The device and number format that models compute with. Importing it loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Quantise = Literal["8bit", "4bit"]
Dtype = Literal["float32", "bfloat16", "float16"]


def device() -> str:
    """The device that models compute on: the GPU, if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 natively; else every number is converted first."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_tile") or capabilities.get("avx512_bf16"))


def dtype_of(name: Dtype | None = None) -> torch.dtype:
    """The number format of a name; without one, bfloat16 where the device multiplies it fast."""
    import torch

    if name is not None:
        return getattr(torch, name)
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    return torch.bfloat16 if has_bfloat16() else torch.float32
