"""The published figures on Open-i by R2Gen's protocol and split, with their sources."""

from __future__ import annotations

from dataclasses import dataclass

TEST_SET = (
    "on the 590 test studies of R2Gen's split, from a frontal and a lateral film, as their papers "
    "state; the figures stand so in the comparison tables of several later papers and "
    "repositories, and none was measured again here"
)


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """One system's row of a published table."""

    system: str
    source: str
    bleu: tuple[float, float, float, float]
    meteor: float
    rouge_l: float

    @property
    def text(self) -> str:
        """The row in one line."""
        bleu = ", ".join(f"{value:.3f}" for value in self.bleu)
        return (
            f"BLEU-1 to 4 {bleu}; METEOR {self.meteor:.3f}; ROUGE-L {self.rouge_l:.3f}. "
            f"{self.source}"
        )


PUBLISHED = (
    PublishedResult(
        "R2Gen", "Chen et al., EMNLP 2020, arXiv:2010.16056",
        (0.470, 0.304, 0.219, 0.165), 0.187, 0.371,
    ),
    PublishedResult(
        "R2GenCMN", "Chen et al., ACL 2021, arXiv:2204.13258",
        (0.475, 0.309, 0.222, 0.170), 0.191, 0.375,
    ),
    PublishedResult(
        "PPKED", "Liu et al., CVPR 2021, arXiv:2106.06963",
        (0.483, 0.315, 0.224, 0.168), 0.190, 0.376,
    ),
    PublishedResult(
        "CMM+RL", "Qin and Song, Findings of ACL 2022",
        (0.494, 0.321, 0.235, 0.181), 0.201, 0.384,
    ),
    PublishedResult(
        "METransformer", "Wang et al., CVPR 2023, arXiv:2304.02211",
        (0.483, 0.322, 0.228, 0.172), 0.192, 0.380,
    ),
    PublishedResult(
        "DART", "Park et al., CVPR 2025",
        (0.486, 0.348, 0.265, 0.208), 0.205, 0.411,
    ),
)  # fmt: skip
