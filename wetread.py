"""The command line: `wetread COMMAND`.

It turns words into calls of the other rooms and values into words; the commands are in `cli`.
Whatever a user can put right ends as one sentence on the error stream and exit code 2.
"""

from __future__ import annotations

import gc
import os
import sys

import typer

from assistant.errors import WetreadError
from cli import checking, drafting, evaluation, painting, serving, training
from cli.library import library_app
from cli.options import NOTES

# Libraries' own chatter would bury what a person reads.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for _command in (drafting.draft, checking.check, drafting.batch, drafting.ask, drafting.similar):
    app.command()(_command)
for _command in (painting.paint, painting.phantom):
    app.command()(_command)
app.add_typer(library_app, name="library")
app.command()(training.train)
app.command()(training.calibrate)
app.command("eval")(evaluation.evaluate)
app.command()(serving.serve)


def main() -> None:
    """Run the command line; errors a user can put right end in one sentence and exit code 2."""
    # The libraries make a million objects when they are imported and leave no garbage: looking
    # for it that often, and through all of them once more at the end, would take two seconds.
    gc.set_threshold(50_000, 20, 20)
    try:
        app()
    except WetreadError as error:
        NOTES.print(f"wetread: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
