"""Where models compute, and in which numbers."""

from __future__ import annotations

import torch

from assistant.backbones.settings import Dtype


def device() -> str:
    """Where models compute: the GPU, if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself; else every number is converted first."""
    known = torch.cpu.get_capabilities()
    return bool(known.get("amx_tile") or known.get("avx512_bf16"))


def dtype_of(named: Dtype | None = None) -> torch.dtype:
    """The numbers to compute in: those named, else bfloat16 where the device multiplies it fast."""
    if named is not None:
        return getattr(torch, named)
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    return torch.bfloat16 if has_bfloat16() else torch.float32
