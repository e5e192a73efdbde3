"""A batch on the machines of a Ray cluster: tasks read films, actors draft.

A window of rows is one block of the pipeline and one Parquet file of drafts, named by its rows
and renamed into place, so that a run that was killed drafts only what is missing. Every machine
must reach the films and the output under the same paths. This module knows Ray, which the extra
`ray` installs, and no model.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from assistant.assistant import Assistant
from assistant.atomic import new_file
from assistant.batch.checkpoint import OutcomeCounts, open_run
from assistant.batch.manifest import RowListing
from assistant.batch.run import BatchSummary, check_listing, draft_lines, plan_of, run_header
from assistant.drafting.prefetch import prefetch
from assistant.drafting.schedule import BatchPlan
from assistant.drafting.sources import BatchRow, FailedStudy
from assistant.errors import BackboneError, SettingsError, WetreadError
from assistant.types import Film, OnProgress, Study

_RAY_MISSING = "The engine ray needs Ray; install it with `pip install 'wetread[ray]'`."


@dataclass(frozen=True, slots=True)
class RayPlan:
    """The actors: what each of them loads, and how many there are."""

    backbone: str | Path = "mini"
    library: Path | None = None  # None: the user's own
    adapters: tuple[Path, ...] = ()
    actors: int = 1
    gpus_per_actor: float = 0.0

    def load(self) -> Assistant:
        """An actor's assistant."""
        return Assistant.load(self.backbone, self.library, self.adapters)


def draft_on_ray(
    ray_plan: RayPlan,
    path: Path,
    out: Path,
    *,
    neighbours: int = 5,
    seed: int = 0,
    resume: bool = True,
    show_paths: bool = False,
    on_progress: OnProgress = lambda done, total: None,
) -> BatchSummary:
    """Draft every film of a manifest as `draft_folder` does, on the actors of a Ray cluster.

    The cluster is that of RAY_ADDRESS, or one on this machine for the time of the run. The
    drafts lie as Parquet files in the folder `out` + ".shards", which stays, and in `out` once
    all are there. Raises as `draft_folder` does, and SettingsError where Ray is missing.
    """
    out = out.resolve()
    listing = replace(check_listing(path.resolve(), out), show_paths=show_paths)
    plan, folder = plan_of(neighbours, seed), out.with_name(f"{out.name}.shards")
    with _connect() as ray:
        remote = ray.remote(num_gpus=ray_plan.gpus_per_actor)(_make_header)
        with _unwrap_errors():
            header = ray.get(remote.remote(ray_plan, listing, plan))
        with open_run(folder, out, header, resume=resume):
            _draft_missing(ray, ray_plan, listing, plan, folder, header["library"], on_progress)
            return _merge_shards(listing, plan, folder, out)


def shard_of(folder: Path, listing: RowListing, start: int, window: int) -> Path:
    """The file of the rows from number `start`."""
    stop = min(start + window, listing.total)
    return folder / f"drafts-{start:09d}-{stop - 1:09d}.parquet"


def _make_header(ray_plan: RayPlan, listing: RowListing, plan: BatchPlan) -> dict[str, Any]:
    with ray_plan.load() as assistant:
        return run_header(assistant, listing, plan)


def _draft_missing(
    ray: Any,
    ray_plan: RayPlan,
    listing: RowListing,
    plan: BatchPlan,
    folder: Path,
    library: str,
    on_progress: OnProgress,
) -> None:
    starts = range(0, listing.total, plan.rows)
    missing = [n for n in starts if not shard_of(folder, listing, n, plan.rows).is_file()]
    done = listing.total - sum(min(plan.rows, listing.total - n) for n in missing)
    on_progress(done, listing.total)
    if not missing:
        return
    with _unwrap_errors():
        blocks = ray.data.from_items(
            [{"start": n} for n in missing], override_num_blocks=len(missing)
        )
        films = blocks.map_batches(
            _read_window, batch_size=1, batch_format="pyarrow", fn_args=(listing, plan.rows)
        )
        drafts = films.map_batches(
            DraftActor,
            batch_size=1,  # a row is a whole window
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=ray_plan.actors),
            num_gpus=ray_plan.gpus_per_actor,
            fn_constructor_args=(ray_plan, listing, plan, folder, library),
        )
        for row in drafts.iter_rows():
            done += row["rows"]
            on_progress(done, listing.total)


@contextmanager
def _connect() -> Iterator[Any]:
    """Ray, connected to the cluster of RAY_ADDRESS, or to a new one on this machine."""
    # Ray reads these when it is imported; the second keeps it on the loopback on any system.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if "RAY_ADDRESS" not in os.environ:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        # Ray's workers run at a low priority; on a busy machine they would hardly run.
        os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise SettingsError(_RAY_MISSING) from None
    is_own = not ray.is_initialized()
    if is_own:
        init_options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if "RAY_ADDRESS" not in os.environ:
            init_options |= {"address": "local", "_node_ip_address": "127.0.0.1"}
            init_options |= {"include_dashboard": False}
        ray.init(**init_options)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    try:
        yield ray
    finally:
        if is_own:
            ray.shutdown()


@contextmanager
def _unwrap_errors() -> Iterator[None]:
    """Raise the error of a task or an actor as it was raised there."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, WetreadError):
            raise type(cause)(str(cause)) from None
        raise BackboneError(
            f"Ray gave up ({type(error).__name__}); what is drafted is kept: see Ray's logs and "
            "run the command again."
        ) from error


def _read_window(starts: Any, listing: RowListing, window: int) -> Any:
    """In a task: a table of one row that holds a window of studies or failures."""
    import pyarrow

    start = starts["start"][0].as_py()
    rows = list(islice(listing.rows(start), window))
    # In a process of its own: a film that kills it must not take the task with it.
    studies = prefetch((row.source for row in rows), 1, window)
    packed = [_pack_row(row, study) for row, study in zip(rows, studies, strict=True)]
    column = pyarrow.array([packed], pyarrow.list_(_study_type()))
    return pyarrow.table({"start": [start], "studies": column})


def _study_type() -> Any:
    import pyarrow as pa

    film = pa.struct(
        [
            *((name, pa.string()) for name in ("sha256", "view", "laterality")),
            ("flags", pa.list_(pa.string())),
            ("spacing_mm", pa.list_(pa.float64())),
            ("day", pa.int64()),
            ("shape", pa.list_(pa.int64())),
            ("pixels", pa.large_binary()),
        ]
    )
    texts = ("case", "image", "why", "indication", "prior_report")
    return pa.struct(
        [
            *((name, pa.string()) for name in texts),
            ("row", pa.int64()),
            ("notes", pa.list_(pa.string())),
            ("films", pa.list_(film)),
            ("prior_films", pa.list_(film)),
        ]
    )


def _pack_row(row: BatchRow, study: Study | FailedStudy) -> dict[str, Any]:
    head = {"case": row.case, "row": row.row, "image": row.image}
    if isinstance(study, FailedStudy):
        return {**head, "why": study.reason}
    return {
        **head,
        "indication": study.indication,
        "prior_report": study.prior_report,
        "notes": list(study.notes),
        "films": [_pack_film(film) for film in study.films],
        "prior_films": [_pack_film(film) for film in (study.prior.films if study.prior else ())],
    }


def _pack_film(film: Film) -> dict[str, Any]:
    return {
        "sha256": film.sha256,
        "view": film.view,
        "laterality": film.laterality,
        "flags": list(film.flags),
        "spacing_mm": film.spacing_mm,
        "day": film.day,
        "shape": film.pixels.shape,
        "pixels": film.pixels.tobytes(),
    }


def _unpack_row(row: Any) -> BatchRow:
    values = {n: v.as_py() for n, v in row.items() if n not in ("films", "prior_films")}
    if values["why"] is not None:
        failed = FailedStudy(0, values["why"])
        return BatchRow(values["case"], values["row"], failed, values["image"])
    films, prior_films = (
        tuple(_unpack_film(film) for film in row[name].values) for name in ("films", "prior_films")
    )
    study = Study(
        films,
        values["indication"],
        Study(prior_films) if prior_films else None,
        values["prior_report"],
        tuple(values["notes"]),
    )
    return BatchRow(values["case"], values["row"], study, values["image"])


def _unpack_film(film: Any) -> Film:
    values = {name: value.as_py() for name, value in film.items() if name != "pixels"}
    # The pixels stay where Ray keeps them, and can only be read there.
    pixels = np.frombuffer(film["pixels"].as_buffer(), np.float32).reshape(values["shape"])
    return Film(
        pixels,
        values["sha256"],
        values["view"],
        values["laterality"],
        spacing_mm=tuple(values["spacing_mm"]) if values["spacing_mm"] else None,
        flags=tuple(values["flags"]),
        day=values["day"],
    )


class DraftActor:
    """An actor: holds the backbone and writes one file of drafts for each window."""

    def __init__(
        self, ray_plan: RayPlan, listing: RowListing, plan: BatchPlan, folder: Path, library: str
    ) -> None:
        """Load the assistant."""
        self._assistant = ray_plan.load()
        self._listing, self._plan = listing, plan
        self._folder, self._library = folder, library

    def __call__(self, window: Any) -> Any:
        """Draft the window, unless its file exists from before Ray tried again."""
        import pyarrow

        start = window["start"][0].as_py()
        packed = window["studies"][0].values
        shard = shard_of(self._folder, self._listing, start, self._plan.rows)
        if not shard.is_file():
            rows = draft_lines(
                self._assistant, map(_unpack_row, packed), self._plan, library=self._library
            )
            _write_shard(shard, start, list(rows))
        return pyarrow.table({"start": [start], "rows": [len(packed)]})


def _write_shard(shard: Path, start: int, rows: Sequence[dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    drafts = [json.dumps(r["draft"], ensure_ascii=False) if "draft" in r else None for r in rows]
    table = pyarrow.table(
        {
            "number": pyarrow.array(range(start, start + len(rows)), pyarrow.int64()),
            "case": pyarrow.array([row["case"] for row in rows], pyarrow.string()),
            "row": pyarrow.array([row["row"] for row in rows], pyarrow.int64()),
            "image": pyarrow.array([row.get("image") for row in rows], pyarrow.string()),
            "draft": pyarrow.array(drafts, pyarrow.string()),
            "error": pyarrow.array([row.get("error") for row in rows], pyarrow.string()),
        }
    )
    # Under a name of its own: another that Ray took for dead may still be writing.
    with new_file(shard) as temporary, temporary.open("wb") as file:
        write_table(table, file)


def _merge_shards(listing: RowListing, plan: BatchPlan, folder: Path, out: Path) -> BatchSummary:
    """All shards as one file of JSON lines, in the order of their rows."""
    from pyarrow.parquet import read_table

    counts = OutcomeCounts()
    with new_file(out) as temporary, temporary.open("w", encoding="utf-8") as lines:
        for start in range(0, listing.total, plan.rows):
            shard = read_table(shard_of(folder, listing, start, plan.rows))
            for row in shard.to_pylist():
                outcome = (
                    {"error": row["error"]}
                    if row["draft"] is None
                    else {"draft": json.loads(row["draft"])}
                )
                head = {"case": row["case"], "row": row["row"]}
                if row["image"] is not None:
                    head["image"] = row["image"]
                line = {**head, **outcome}
                counts.add(line)
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
    return BatchSummary.from_counts(counts)
