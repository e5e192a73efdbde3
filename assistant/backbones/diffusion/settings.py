"""Settings to load and run a diffusers pipeline. Importing it loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from assistant.errors import SettingsError

PipelineDtype = Literal["auto", "float32", "bfloat16", "float16"]
MAX_STEPS = 1000


@dataclass(frozen=True, slots=True)
class DiffusionSettings:
    """The pipeline that paints, and its options.

    Raises SettingsError for an invalid value.
    """

    model: str  # a folder that diffusers has saved, or one of the hub as ORG/NAME@COMMIT
    adapter: str = ""  # a folder with one LoRA as safetensors; empty: the base alone
    steps: int = 50  # of denoising: more are slower and look better
    dtype: PipelineDtype = "auto"  # bfloat16 on a GPU, else float32
    device: str = "auto"  # as torch names it; the GPU if there is one
    download: bool = False  # fetch from the hub what is not on this machine yet

    def __post_init__(self) -> None:
        for name in ("model", "adapter", "device"):
            value = getattr(self, name)
            needed = name in ("model", "device")
            if not isinstance(value, str) or (needed and not value.strip()):
                raise SettingsError(f"The painter's `{name}` must be a text.")
        is_integer = isinstance(self.steps, int) and not isinstance(self.steps, bool)
        if not is_integer or not 1 <= self.steps <= MAX_STEPS:
            raise SettingsError(
                f"The painter's `steps` = {self.steps!r} must be a whole number of "
                f"1 to {MAX_STEPS}."
            )
        if self.dtype not in get_args(PipelineDtype):
            raise SettingsError(
                f"The painter's `dtype` = {self.dtype!r} must be one of "
                f"{', '.join(get_args(PipelineDtype))}."
            )
        if not isinstance(self.download, bool):
            raise SettingsError("The painter's `download` must be true or false.")
