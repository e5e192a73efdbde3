"""The command line: `wetread COMMAND`.

The commands are in `cli`; they turn options into calls and results into text. An error that the
user can fix ends as one sentence on the error stream and exit code 2.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from assistant.errors import WetreadError
from cli import (
    checking,
    datasets,
    drafting,
    evaluation,
    licences,
    painting,
    samples,
    serving,
    training,
)
from cli.doctor import command
from cli.library import library_app
from cli.options import NOTES, OUTPUT

# Libraries' own chatter would bury what a person reads.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# The commands by job, as the help lists them.
PANELS = {
    "Read": (
        samples.demo,
        drafting.draft,
        checking.check,
        drafting.batch,
        drafting.ask,
        drafting.similar,
    ),
    "Paint": (painting.paint, painting.phantom),
    "Library": (),  # a group of commands of its own
    "Data": (datasets.cases, samples.samples),
    "Training": (training.train, training.calibrate),
    "Measuring": (evaluation.evaluate,),
    "This machine": (serving.serve, command.doctor, licences.licences),
}
# What a path that was given or a full disk does where no better sentence was at hand.
FIXABLE = frozenset(
    (errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSPC, errno.EPERM, errno.EROFS)
)
NAMES = {evaluation.evaluate: "eval"}  # of commands that are not called like their function


class PanelGroup(TyperGroup):
    """The commands in the order of their panels: by itself typer puts groups last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, panel by panel."""
        panels = [*PANELS]
        return sorted(
            super().list_commands(ctx),
            key=lambda name: panels.index(getattr(self.commands[name], "rich_help_panel", "")),
        )


app = typer.Typer(cls=PanelGroup, no_args_is_help=True, pretty_exceptions_enable=False)
for _panel, _commands in PANELS.items():
    for _command in _commands:
        app.command(NAMES.get(_command), rich_help_panel=_panel)(_command)
app.add_typer(library_app, name="library", rich_help_panel="Library")


def print_version(requested: bool) -> None:
    """Print the version and exit, if it is requested."""
    if requested:
        from cli.doctor.packages import installed_version

        OUTPUT.print(f"wetread {installed_version('wetread') or 'source'}", markup=False)
        raise typer.Exit


@app.callback()
def describe(
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Draft chest radiograph reports whose every sentence carries its evidence."""


def main() -> None:
    """Run the command line; errors a user can fix end in one sentence and exit code 2."""
    # The libraries make a million objects when they are imported and leave no garbage: looking
    # for it that often, and through all of them once more at the end, would take two seconds.
    gc.set_threshold(50_000, 20, 20)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name of a file may be no UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="wetread")  # however it was started: completion goes by the name
    except WetreadError as error:
        NOTES.print(f"wetread: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:
        if error.errno not in FIXABLE:
            raise
        NOTES.print(
            f"wetread: {error.strerror}, says the system; check the paths that were given, and "
            "the disk.",
            style="red", markup=False, soft_wrap=True,
        )  # fmt: skip
        sys.exit(2)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
