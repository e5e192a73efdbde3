"""Where models compute, and in which numbers. Importing it loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Quantise = Literal["8bit", "4bit"]
Dtype = Literal["float32", "bfloat16", "float16"]


def device() -> str:
    """Where models compute: the GPU, if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself; else every number is converted first."""
    import torch

    known = torch.cpu.get_capabilities()
    return bool(known.get("amx_tile") or known.get("avx512_bf16"))


def dtype_of(named: Dtype | None = None) -> torch.dtype:
    """The numbers to compute in: those named, else bfloat16 where the device multiplies it fast."""
    import torch

    if named is not None:
        return getattr(torch, named)
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    return torch.bfloat16 if has_bfloat16() else torch.float32
