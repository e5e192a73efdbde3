"""Where the time of drafting goes: `python -m benchmarks.profile`."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Iterator

from assistant import Assistant
from assistant.backbones.loading import load_backbone
from benchmarks.weights import make_films

# A stage by the function that does all of it: module and name, as they stand in the profile.
STAGES = (
    ("looking at films eight times", "janus/backbone.py", "encode"),
    ("reading prompts", "janus/writer.py", "_prefill_new"),
    ("writing, first drafts", "drafting/draft.py", "write_drafts"),
    ("of these, drafts drawn again", "drafting/draft.py", "_redraw_inconsistent"),
    ("judging the sentences", "rules.py", "judge_sentences"),
)


def main(count: int = 64) -> None:
    """Print the share of each stage of `draft_many`."""
    films, assistant = make_films(count), Assistant(load_backbone())
    list(assistant.draft_many(films[:8], neighbours=0))
    profile = cProfile.Profile()
    profile.runcall(lambda: list(assistant.draft_many(films, neighbours=0, batch=16)))
    stats = pstats.Stats(profile)
    total = stats.total_tt  # pyright: ignore[reportAttributeAccessIssue]
    print(f"{count} films, {1000 * total / count:.0f} ms each")  # noqa: T201 (a command)
    for line in _shares(stats, total):
        print(line)  # noqa: T201


def _shares(stats: pstats.Stats, total: float) -> Iterator[str]:
    rows = stats.stats.items()  # pyright: ignore[reportAttributeAccessIssue]
    for words, file, name in STAGES:
        seconds = max(
            (s[3] for (path, _, f), s in rows if path.endswith(file) and f == name), default=0
        )
        yield f"{seconds / total:6.1%}  {words}"


if __name__ == "__main__":
    main()
