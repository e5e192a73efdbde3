"""The library of cases: what the rooms above call.

It joins the database (the truth) and the index (derived from it). It knows no medicine, no model
and no film format: a film is a hash, a small PNG and a vector.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrieval.checks import checked_case, checked_vector, unit32
from retrieval.errors import LibraryError, WetreadError
from retrieval.opening import DATABASE, INDEX, make_folder
from retrieval.store import Store
from retrieval.types import Added, Case, Hit, NewCase, Stats

if TYPE_CHECKING:
    from retrieval.index_sync import IndexSync

log = logging.getLogger(__name__)

EXACT_LIMIT = 20_000  # vectors up to which every one is compared
_BATCH_SECONDS = 1.0  # a slow encoder is not kept waiting for its acknowledgement


class Library:
    """A folder of cases, open for adding and searching; safe to share between threads.

    Several processes may hold the same folder open: each sees the others' writes at its next
    call. Made by `Library.open`; a context manager.
    """

    def __init__(self, store: Store, mirror: IndexSync) -> None:
        self._store = store
        self._mirror = mirror
        self._digest = ((-1, ""), "")  # watermark it was made at, and the digest

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        encoder: str,
        dim: int,
        exact_limit: int = EXACT_LIMIT,
        create: bool = True,
    ) -> Library:
        """Open the library in this folder, or make one there.

        `encoder` names what makes the vectors, with its revision; `dim` is their length. Beyond
        `exact_limit` vectors a trained index is used. Raises LibraryError where the folder is
        no library, is a newer Wetread's, holds vectors of another length under this encoder,
        or (with `create=False`) is not there, and where FAISS is not installed.
        """
        from retrieval.index_sync import (
            IndexSync,  # here, so that `import retrieval` loads no FAISS
        )

        folder = Path(path)
        if dim < 1 or not encoder:
            raise LibraryError(
                "A library needs an encoder's name and vectors of at least 1 number."
            )
        if not create and not (folder / DATABASE).is_file():
            raise LibraryError(f"There is no library at {folder}: add a case or a folder first.")
        try:
            make_folder(folder)
        except OSError as error:
            raise LibraryError(
                f"The library's folder {folder} cannot be made ({error.strerror}): give another."
            ) from error
        store = Store(folder / DATABASE, encoder, dim)
        try:
            mirror = IndexSync(store, folder / INDEX, exact_limit)
            with store.reading():
                mirror.open()
        except WetreadError:
            store.close()
            raise
        return cls(store, mirror)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._store.path.parent

    def close(self) -> None:
        """Write the index's snapshot and let go of the folder; closing twice does no harm."""
        if self._store.is_open:
            self._save()
            self._store.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Adding and removing

    def add(self, case: NewCase) -> Added:
        """Add one case; when this returns, it is on the disk.

        A film that is known already stays one case: its first report, labels, source and
        patient are kept, and it gains a vector where it has none of this encoder. Raises
        LibraryError for a vector, hash, preview or text that cannot be kept.
        """
        return self._commit([checked_case(case, self._store.dim)])[0]

    def add_many(self, cases: Iterable[NewCase], *, batch: int = 32) -> Iterator[Added]:
        """Add cases as they come, in order; each value yielded is an acknowledgement.

        They are written up to `batch` at a time, or after a second. A case that cannot be kept,
        or an error of ours from `cases`, raises after all before it were acknowledged.
        """
        source = iter(cases)
        while True:
            ready: list[NewCase] = []
            failure: WetreadError | None = None
            more = True
            until = time.monotonic() + _BATCH_SECONDS
            while len(ready) < max(1, batch) and time.monotonic() < until:
                try:
                    ready.append(checked_case(next(source), self._store.dim))
                except StopIteration:
                    more = False
                    break
                except WetreadError as error:
                    failure = error
                    break
            if ready:
                yield from self._commit(ready)
            if failure:
                raise failure
            if not more:
                return

    def has(self, film_sha256: str) -> bool:
        """Whether this film is known and carries a vector of this encoder: nothing to add."""
        with self._store.reading():
            number = self._store.number_of(film_sha256)
            return number is not None and self._store.has_vector(number)

    def set_embedding(self, case_id: str, embedding: np.ndarray) -> None:
        """Give a known case its vector of this encoder, float (D,), in place of any before."""
        vector = checked_vector(embedding, self._store.dim)
        with self._store.writing():
            self._store.set_vector(self._number(case_id), vector)

    def remove(self, case_id: str) -> None:
        """Remove a case with its report, vectors and picture; LibraryError if unknown."""
        with self._store.writing():
            self._store.delete(self._number(case_id))
        self._store.checkpoint()

    # Looking up

    def get(self, case_id: str) -> Case:
        """The case with this id (or whole film hash); LibraryError if unknown."""
        with self._store.reading():
            return self._store.case(self._number(case_id))

    def preview(self, case_id: str) -> bytes:
        """The case's small PNG; LibraryError if the case is unknown or its picture damaged."""
        with self._store.reading():
            data = self._store.picture(self._number(case_id))
        if data is None:
            raise LibraryError(
                f"The picture of case {case_id} is missing or damaged: remove the case and add "
                "its film again."
            )
        return data

    def embedding(self, case_id: str) -> np.ndarray:
        """The case's vector of this encoder as it was given, float32 (D,); LibraryError if none."""
        with self._store.reading():
            _, vectors = self._store.vectors([self._number(case_id)])
        if not len(vectors):
            raise LibraryError(
                f"Case {case_id} has no vector of {self._store.encoder}: encode its film again."
            )
        return vectors[0]

    def cases(self, *, source: str | None = None) -> Iterator[Case]:
        """All cases, or one source's, in the order they came; those removed meanwhile are not."""
        with self._store.reading():
            numbers = self._store.numbers(source=source)
        for _, case in self._each(numbers):
            yield case

    def find(
        self,
        groups: Sequence[Sequence[str]] = (),
        *,
        source: str | None = None,
        most: int | None = None,
    ) -> Iterator[Case]:
        """The cases that hold a word of every group, the newest first, at most `most` of them.

        A word may be part of another, in any case of letters, in report, labels, source or id;
        no sign in it means anything but itself. Without groups all cases, or one source's.
        """
        with self._store.reading():
            numbers = self._store.numbers_holding(groups, source=source, most=most)
        for _, case in self._each(numbers):
            yield case

    def stale(self) -> Iterator[tuple[Case, bytes]]:
        """The cases without a vector of this encoder, with their small PNG to encode.

        Hand each vector to `set_embedding`. A case whose picture is damaged is left out and
        logged.
        """
        with self._store.reading():
            numbers = self._store.numbers_without_vector()
        for number, case in self._each(numbers):
            with self._store.reading():
                data = self._store.picture(number)
            if data is None:
                log.warning("case %s cannot be encoded again: its picture is damaged", case.id)
                continue
            yield case, data

    def search(
        self,
        embedding: np.ndarray,
        k: int = 5,
        *,
        exclude_patient: str | None = None,
        exclude_case: str | None = None,
        source: str | None = None,
        minimum: float | None = None,
    ) -> tuple[Hit, ...]:
        """The k most similar cases, most similar first, ties by id; fewer if there are fewer.

        `embedding` is float (D,). Left out are the cases of `exclude_patient` (the raw id; a
        case without a patient is never left out by it), the case `exclude_case` (an id or a
        whole film hash), other sources than `source`, and similarities below `minimum`.
        Raises LibraryError for a vector that cannot be compared or a negative k.
        """
        query = unit32(checked_vector(embedding, self._store.dim))
        if k < 0:
            raise LibraryError(f"A search cannot return {k} cases: ask for 0 or more.")
        store = self._store
        with store.reading():
            self._mirror.catch_up()
            only = None if source is None else store.numbers(source=source)
            never = []
            if patient := store.patient_key(exclude_patient):
                never.append(store.numbers(patient=patient))
            if exclude_case:
                store.trust_cases()
                if number := store.number_of(exclude_case):
                    never.append(np.array([number], np.int64))
            banned = np.unique(np.concatenate(never)) if never else None
            hits = self._mirror.ranked(query, k, only, banned) if k else []
        if self._mirror.save_is_due:
            self._save()
        return tuple(hit for hit in hits if minimum is None or hit.similarity >= minimum)

    def stats(self) -> Stats:
        """What the library holds now."""
        snapshot = self.snapshot_id()
        with self._store.reading():
            self._mirror.catch_up()
            cases, patients, without, sources = self._store.counts()
            return Stats(
                cases=cases,
                patients=patients,
                without_patient=without,
                sources=sources,
                encoder=self._store.encoder,
                embedded=self._store.count_vectors(),
                index=self._mirror.kind,
                watermark=self._mirror.watermark,
                snapshot=snapshot,
            )

    def snapshot_id(self) -> str:
        """What search can return now, as 16 hexadecimal digits: equal content, equal id.

        Over the encoder and every findable case's film, report, labels, source and vector, so
        it is the same in every process and in every copy; patients do not enter.
        """
        with self._store.reading():
            mark = self._store.watermark()
            if self._digest[0] != mark:
                self._digest = (mark, self._store.digest())
            return self._digest[1][:16]

    def rebuild(self) -> None:
        """Check the database and make the index anew.

        Raises LibraryError where the database itself is damaged.
        """
        with self._store.reading():
            self._store.check()
            self._mirror.rebuild()
        self._mirror.save()

    # Inside

    def _save(self) -> None:
        try:
            self._mirror.save()
        except LibraryError as error:  # only the next opening is slower for it
            log.warning("the index's snapshot was not written: %s", error)

    def _commit(self, cases: Sequence[NewCase]) -> list[Added]:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._store.writing():
            return self._store.keep(cases, now)

    def _number(self, case_id: str) -> int:
        number = self._store.number_of(case_id)
        if number is None:
            raise LibraryError(f"The library has no case {case_id}: look its id up by a search.")
        return number

    def _each(self, numbers: np.ndarray) -> Iterator[tuple[int, Case]]:
        for number in numbers.tolist():
            with self._store.reading():
                case = self._store.case(number) if self._store.has_case(number) else None
            if case is not None:
                yield number, case
