"""METEOR 1.5 of a corpus, by its own program where that is installed, else by words and stems.

Denkowski and Lavie 2014, "Meteor Universal: Language Specific Translation Evaluation for Any
Target Language". The published tables use the program, through pycocoevalcap, and its figure for
the corpus, which is not the mean over films. Each film has a row of counts, from whose sum
`evals.bootstrap.meteor` computes the figure.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

Words = Sequence[str]
COUNTS = 23  # in the program's order: lengths, four stages of matches, chunks, matched words
PROGRAM = "METEOR 1.5 by its own program through pycocoevalcap, as the published tables have it"
STEMS = (
    "METEOR 1.5's formula with equal words and stems alone, without its synonyms and paraphrases; "
    "for the program of the published tables install pycocoevalcap and Java"
)
# Among the commonest words of English, which METEOR weighs less.
FUNCTION_WORDS = frozenset(
    """a about after all also an and are as at be been between but by can could during for from had
    has have he her his how i if in into is it its me more most no not of on one only or other our
    out over she so some such than that the their them then there these they this to two up was we
    were what when which who will with would you . ,""".split()  # noqa: SIM905
)


def count_meteor(pairs: Sequence[tuple[Words, Words]]) -> tuple[list[list[float]], str]:
    """The counts of each (reference, candidate), and which METEOR they are of."""
    try:
        from pycocoevalcap.meteor.meteor import Meteor  # pyright: ignore[reportMissingImports]
    except ImportError:
        return [count_stems(*pair) for pair in pairs], STEMS
    if shutil.which("java") is None:
        return [count_stems(*pair) for pair in pairs], STEMS
    program = Meteor()
    texts = [(" ".join(reference), " ".join(candidate)) for reference, candidate in pairs]
    # Its own way of scoring one text; the public one gives no counts.
    lines = [program._stat(candidate, [reference]) for reference, candidate in texts]
    return [_drop_whole([float(number) for number in line.split()]) for line in lines], PROGRAM


def count_stems(reference: Words, candidate: Words) -> list[float]:
    """The counts of a pair by equal words and stems; the last two stages have no match."""
    reference, candidate = _split_unknown(reference), _split_unknown(candidate)
    own, other = [_stem(word) for word in candidate], [_stem(word) for word in reference]
    matches = _align(own, other)
    stages = np.zeros((4, 4))  # by stage: content of both, function words of both
    for at, place in matches:
        stage = 0 if candidate[at] == reference[place] else 1
        for column, word in enumerate((candidate[at], reference[place])):
            stages[stage, column + 2 * (word in FUNCTION_WORDS)] += 1
    chunks = sum(
        number == 0 or (at - 1, place - 1) != matches[number - 1]
        for number, (at, place) in enumerate(matches)
    )
    lengths = [len(candidate), len(reference)]
    functions = [sum(w in FUNCTION_WORDS for w in words) for words in (candidate, reference)]
    counts = [*lengths, *functions, *stages.ravel().tolist(), chunks, len(matches), len(matches)]
    return _drop_whole([float(count) for count in counts])


def _drop_whole(counts: list[float]) -> list[float]:
    """The counts of a pair, without the chunk of two texts that are the same: it is no break."""
    matched = np.array(counts[4:20]).reshape(4, 2, 2).sum(axis=(0, 1))
    whole = counts[20] == 1 and matched.tolist() == counts[:2]
    return [*counts[:20], 0.0, *counts[21:]] if whole else counts


def _split_unknown(words: Words) -> list[str]:
    """The words with brackets apart, as the program's tokeniser does with "<unk>"."""
    text = " ".join(words).replace("<", " < ").replace(">", " > ")
    return text.split()


def _align(own: Words, other: Words) -> list[tuple[int, int]]:
    """Pairs of places with the same stem, each once, in few runs: the longest comes first."""
    same = np.array([[a == b for b in other] for a in own], bool).reshape(len(own), len(other))
    matches: list[tuple[int, int]] = []
    while same.any():
        runs = np.zeros((len(own) + 1, len(other) + 1), int)  # the run that ends at each pair
        for row in range(len(own)):
            runs[row + 1, 1:] = np.where(same[row], runs[row, :-1] + 1, 0)
        row, column = np.unravel_index(int(runs.argmax()), runs.shape)
        for step in range(int(runs[row, column])):
            at, place = int(row) - 1 - step, int(column) - 1 - step
            matches.append((at, place))
            same[at] = False
            same[:, place] = False
    return sorted(matches)


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    from nltk.stem.snowball import SnowballStemmer

    return SnowballStemmer("english").stem(word)
