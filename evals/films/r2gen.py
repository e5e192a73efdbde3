"""Report metrics by the protocol of R2Gen, on which most tables of Open-i are measured.

Chen et al. 2020, "Generating Radiology Reports via Memory-driven Transformer": the findings
section, cleaned and in lower case, references cut to 59 words (60 places, of which one holds the
start), words that the training reports hold fewer than three times written as "<unk>", outputs of
60 words at most. BLEU and ROUGE-L are those of the COCO caption evaluation (Chen et al. 2015);
METEOR is METEOR 1.5 as `evals.films.meteor` has it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from evals.films.meteor import count_meteor
from evals.results import FigureTable

REFERENCE_WORDS, CANDIDATE_WORDS = 59, 60
RAREST = 3  # occurrences in training reports under which a word is unknown
UNKNOWN_WORD = "<unk>"
ORDERS = (1, 2, 3, 4)
BETA = 1.2  # of ROUGE-L: recall counts more
BLEU, ROUGE, METEOR = "BLEU-{}", "ROUGE-L", "METEOR"
_NUMBERING = (
    ("..", "."), ("..", "."), ("..", "."), ("1. ", ""),
    *((f". {number}. ", ". ") for number in range(2, 6)),
    *((f" {number}. ", ". ") for number in range(2, 6)),
)  # fmt: skip
_PUNCTUATION = re.compile(r"[.,?;*!%^&_+():-\[\]{}\"/\\']")


def clean_report(text: str) -> list[str]:
    """The words of a report as R2Gen cleans it: lower case, without punctuation, " . " at ends.

    A list's numbers are dropped up to 5, and a hyphen stays.
    """
    for old, new in _NUMBERING:
        text = text.replace(old, new)
    sentences = text.strip().lower().split(". ")
    cleaned = [_PUNCTUATION.sub("", sentence.strip()) for sentence in sentences]
    return f"{' . '.join(cleaned)} .".split()


def vocabulary_of(reports: Iterable[str]) -> frozenset[str]:
    """The words that training reports hold three times or more."""
    counts = Counter(word for report in reports for word in clean_report(report))
    return frozenset(word for word, count in counts.items() if count >= RAREST)


def reference_words(text: str, vocabulary: frozenset[str]) -> list[str]:
    """The words of a reference; with an empty vocabulary no word is unknown."""
    words = clean_report(text)[:REFERENCE_WORDS]
    return [word if not vocabulary or word in vocabulary else UNKNOWN_WORD for word in words]


def candidate_words(text: str) -> list[str]:
    """The words of a draft; a rare word stays as it is, and so matches no unknown one."""
    return clean_report(text)[:CANDIDATE_WORDS] if text.strip() else []


def add_text_metrics(
    tally: FigureTable,
    name: str,
    pairs: Sequence[tuple[list[str], list[str]]],
    patients: Sequence[str],
    unscored: int,
) -> dict[str, str]:
    """Add BLEU-1 to 4, METEOR and ROUGE-L of (reference, candidate) words; return the notes.

    `name` stands before each measure.
    """
    for order in ORDERS:
        rows = [_bleu_counts(reference, candidate, order) for reference, candidate in pairs]
        tally.add(name + BLEU.format(order), rows, patients, "plain_bleu", unscored=unscored)
    counts, which = count_meteor(pairs)
    tally.add(name + METEOR, counts, patients, "meteor", unscored=unscored)
    rows = [[rouge_l(reference, candidate), 1] for reference, candidate in pairs]
    tally.add(name + ROUGE, rows, patients, "mean", unscored=unscored)
    return {name + METEOR: which}


def rouge_l(reference: Sequence[str], candidate: Sequence[str]) -> float:
    """ROUGE-L in [0, 1] of one pair, beta 1.2 (Lin 2004), as the COCO caption evaluation has it."""
    common = _longest_common(reference, candidate)
    if not common:
        return 0.0
    precision, recall = common / len(candidate), common / len(reference)
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _bleu_counts(reference: Sequence[str], candidate: Sequence[str], order: int) -> list[int]:
    """Lengths of both, then matches and n-grams of the candidate for each order."""
    row = [len(candidate), len(reference)]
    for size in range(1, order + 1):
        ours, theirs = _ngrams(candidate, size), _ngrams(reference, size)
        row += [sum((ours & theirs).values()), ours.total()]
    return row


def _ngrams(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + size]) for i in range(len(words) - size + 1))


def _longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    previous = [0] * (len(second) + 1)
    for word in first:
        current = [0]
        for at, other in enumerate(second):
            current.append(
                previous[at] + 1 if word == other else max(previous[at + 1], current[at])
            )
        previous = current
    return previous[-1]
