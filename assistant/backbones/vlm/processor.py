"""Loads the processor of a checkpoint, and renders prompts by its chat template.

The template is a program of others: it runs in transformers' sandbox, and here for some seconds
at most.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, AutoTokenizer
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from assistant.backbones.whole import Refusal, read_config
from assistant.errors import BackboneError

TEMPLATE_SECONDS = 5.0  # for one prompt; a real template takes a millisecond
# The files from which transformers makes a processor, in one of two forms.
PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
MAX_TOKENS = 2**24  # of a text, where a tokenizer names no limit or an absurd one
MAX_EDGE, MAX_PIXELS = 16_384, 2**26  # of the pictures that a processor makes


def load_processor(folder: Path) -> Any:
    """Load the checkpoint's processor by what is installed: PIL's image processor will do.

    It comes without its video processor where that cannot be loaded: those of transformers need
    torchvision, which must not be installed with a CPU build of torch, and films need none.
    Raises BackboneError where a file is missing, damaged, or not of this family.
    """
    _check_processor_files(folder)
    sentence = (
        f"The processor of {folder.name!r} cannot be loaded ({{}}); its tokenizer or its "
        "preprocessor_config.json is missing, damaged or of another family, so get them again."
    )
    with Refusal(sentence):
        try:
            processor: Any = AutoProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except (ImportError, ValueError):
            processor = _load_still_processor(folder)
        image_processor, tokenizer = processor.image_processor, processor.tokenizer
        limit = tokenizer.model_max_length
        # Where none is named transformers puts 10^30, more than its own libraries can count to.
        tokenizer.model_max_length = int(min(limit, MAX_TOKENS)) if limit > 0 else MAX_TOKENS
    if image_processor is None or tokenizer is None:
        raise BackboneError(sentence.replace("{}", "it takes no images"))
    return processor


def _check_processor_files(folder: Path) -> None:
    """Raise BackboneError where neither file is there, or where one asks for endless pictures."""
    present = [name for name in PROCESSOR_FILES if (folder / name).is_file()]
    if not present:
        raise BackboneError(
            f"{folder.name!r} lacks {PROCESSOR_FILES[1]}, which says how it takes images; "
            "get the checkpoint again."
        )
    for name in present:
        table = read_config(folder, name)
        parts = [table, *(part for part in table.values() if isinstance(part, dict))]
        sizes = [part.get(key) for part in parts for key in ("size", "crop_size")]
        for size in sizes:
            edges = size if isinstance(size, dict) else {"height": size}
            for key, edge in edges.items():
                most = MAX_EDGE if key in ("height", "width") else MAX_PIXELS
                if isinstance(edge, int | float) and not 0 <= edge <= most:
                    raise BackboneError(
                        f"The {name} of {folder.name!r} asks for films of {key} {edge:.4g}; "
                        "get the checkpoint again."
                    )


def _load_still_processor(folder: Path) -> Any:
    """The family's processor, made of an image processor and a tokenizer alone."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    family: Any = PROCESSOR_MAPPING[type(config)]

    class Still(family):
        """The family's processor; its parts are those that `__init__` names."""

        def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **kwargs):
            super().__init__(image_processor, tokenizer, chat_template=chat_template, **kwargs)

    # With the config, a class of another release is replaced by the one for this model type.
    parts = {
        "image_processor": AutoImageProcessor.from_pretrained(
            folder, config=config, local_files_only=True, trust_remote_code=False
        ),
        "tokenizer": AutoTokenizer.from_pretrained(
            folder, config=config, local_files_only=True, trust_remote_code=False
        ),
    }
    kind: Any = Still if set(family.get_attributes()) - set(parts) else family
    table, _ = kind.get_processor_dict(folder, local_files_only=True)
    return kind.from_args_and_dict([parts[name] for name in kind.get_attributes()], table)


@contextmanager
def template_limits(name: str = "") -> Iterator[None]:
    """Context in which a chat template of others is rendered: it ends in time, and errors are told.

    Raises BackboneError, with the checkpoint's `name`, where the template raises, or runs for
    more than `TEMPLATE_SECONDS`.
    """
    owner = f"of {name!r} " if name else ""
    ending = "; name an instruction-tuned checkpoint whose template takes them."
    endless = BackboneError(f"The chat template {owner}does not come to an end{ending}")
    deadline = time.monotonic() + TEMPLATE_SECONDS

    def watch(frame: FrameType, event: str, value: Any) -> Callable[..., Any] | None:
        if frame.f_code.co_filename != "<template>":  # jinja's name for what it compiles
            return None
        if time.monotonic() > deadline:
            raise endless
        return watch

    # Python calls a trace function at every line of this thread, so that a loop can be ended.
    previous = sys.gettrace()
    sys.settrace(watch)
    try:
        with Refusal(f"The chat template {owner}does not take films and a request ({{}}){ending}"):
            yield
    finally:
        sys.settrace(previous)
