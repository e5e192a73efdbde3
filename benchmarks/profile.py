"""Where the time of drafting goes: `python -m benchmarks.profile`."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Iterator

from assistant import Assistant
from assistant.backbones.loading import load_backbone
from benchmarks.weights import phantom_films

# A stage by the function that does all of it: module and name, as the profile has them.
STAGES = (
    ("looking at films eight times", "janus.py", "encode"),
    ("reading prompts", "janus_writing.py", "_prepare"),
    ("writing, first drafts", "drafting.py", "write_drafts"),
    ("of these, drafts drawn again", "drafting.py", "_without_slips"),
    ("judging the sentences", "rules.py", "judge_sentences"),
)


def main(count: int = 64) -> None:
    """Print the share of each stage of `draft_many`."""
    films, assistant = phantom_films(count), Assistant(load_backbone())
    list(assistant.draft_many(films[:8], neighbours=0))
    profile = cProfile.Profile()
    profile.runcall(lambda: list(assistant.draft_many(films, neighbours=0, batch=16)))
    stats = pstats.Stats(profile)
    whole = stats.total_tt  # pyright: ignore[reportAttributeAccessIssue]
    print(f"{count} films, {1000 * whole / count:.0f} ms each")  # noqa: T201 (a command)
    for line in _shares(stats, whole):
        print(line)  # noqa: T201


def _shares(stats: pstats.Stats, whole: float) -> Iterator[str]:
    rows = stats.stats.items()  # pyright: ignore[reportAttributeAccessIssue]
    for words, file, name in STAGES:
        taken = max(
            (s[3] for (path, _, f), s in rows if path.endswith(file) and f == name), default=0
        )
        yield f"{taken / whole:6.1%}  {words}"


if __name__ == "__main__":
    main()
