"""Text similarity, word by word: BLEU, ROUGE-L and chrF by their reference libraries.

These figures know nothing of medicine: a report may share most words with another and deny what
that one says. BLEU and chrF are those of the whole corpus; their counts are kept case by case,
so that patients can be drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence

from evals.results import FigureTable, figure_of

ORDERS = (1, 2, 3, 4)
CHARACTERS = 6  # the longest character n-gram of chrF
BLEU, CHRF, ROUGE = "text/BLEU-{}", "text/chrF", "text/ROUGE-L"
SACREBLEU = "sacrebleu {}: corpus, case-insensitive, tokens 13a, smoothing exp"
MISSING = "unavailable: install {} (pip install {})"


def add_text_figures(
    tally: FigureTable,
    pairs: Sequence[tuple[str, str]],
    patients: Sequence[str],
    unscored: int,
) -> dict[str, str]:
    """Add the figures of (reference, candidate) pairs, each in [0, 1], and return the notes.

    Where a library is missing its figures have no value and a note says so.
    """
    return _add_sacrebleu(tally, pairs, patients, unscored) | _add_rouge(
        tally, pairs, patients, unscored
    )


def _add_sacrebleu(
    tally: FigureTable, pairs: Sequence[tuple[str, str]], patients: Sequence[str], unscored: int
) -> dict[str, str]:
    """Post 2018, "A Call for Clarity in Reporting BLEU Scores"; chrF: Popovic 2015."""
    names = [BLEU.format(order) for order in ORDERS]
    try:
        import sacrebleu
        from sacrebleu.metrics.helpers import extract_all_char_ngrams
    except ImportError:
        return _add_missing(tally, [*names, CHRF], "sacrebleu", len(pairs) + unscored)
    # The effective order changes no counts; without it every sentence warns.
    scorer = sacrebleu.BLEU(lowercase=True, effective_order=True)
    words, characters = [], []
    for reference, candidate in pairs:
        sentence_score = scorer.sentence_score(candidate, [reference])
        words.append(
            [
                sentence_score.sys_len,
                sentence_score.ref_len,
                *zip(sentence_score.counts, sentence_score.totals, strict=True),
            ]
        )
        row: list[int] = []
        for candidate_grams, reference_grams in zip(
            extract_all_char_ngrams(candidate.lower(), CHARACTERS),
            extract_all_char_ngrams(reference.lower(), CHARACTERS),
            strict=True,
        ):
            row += [
                candidate_grams.total(),
                reference_grams.total(),
                sum((candidate_grams & reference_grams).values()),
            ]
        characters.append(row)
    for order, name in zip(ORDERS, names, strict=True):
        rows = [[a, b, *(n for pair in grams[:order] for n in pair)] for a, b, *grams in words]
        tally.add(name, rows, patients, "bleu", unscored=unscored)
    tally.add(CHRF, characters, patients, "chrf", unscored=unscored)
    note = SACREBLEU.format(sacrebleu.__version__)
    return {names[-1]: note, CHRF: f"sacrebleu {sacrebleu.__version__}: corpus, lower case"}


def _add_rouge(
    tally: FigureTable, pairs: Sequence[tuple[str, str]], patients: Sequence[str], unscored: int
) -> dict[str, str]:
    """Lin 2004, "ROUGE: a Package for Automatic Evaluation of Summaries"."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        return _add_missing(tally, [ROUGE], "rouge-score", len(pairs) + unscored)
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    rows = [[scorer.score(ref, cand)["rougeL"].fmeasure, 1] for ref, cand in pairs]
    tally.add(ROUGE, rows, patients, "mean", unscored=unscored)
    return {ROUGE: "rouge-score: F of the longest common subsequence, mean over cases, no stemmer"}


def _add_missing(
    tally: FigureTable, names: Sequence[str], package: str, cases: int
) -> dict[str, str]:
    for name in names:
        tally.figures[name] = figure_of(None, 0, unscored=cases)
    return dict.fromkeys(names, MISSING.format(package, package))
