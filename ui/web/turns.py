"""Gradio's queue with fair turns: clients take turns, then the sessions of each client.

Gradio serves whoever came first, so that 300 jobs of one visitor are before everybody else's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import zip_longest
from typing import Any

from gradio.queueing import Event, Queue
from gradio.server_messages import ProcessCompletedMessage

from ui.web.arguments import find_problem, pure_values
from ui.web.limits import Limits
from ui.web.sessions import Sessions

CLIENT = "wetread.client"  # of a request's scope: who makes it
FAILED = "Something failed inside Wetread; try again, and if it fails again tell whoever runs it."


def take_turns(
    jobs: Sequence[Any], keys: Sequence[Callable[[Any], Hashable]], served: Callable[[Any], float]
) -> list[Any]:
    """The jobs in turns: the first of each group, then the second of each, and so on.

    `keys` name the group of a job, and then the group within that. Groups go in the order in which
    they were `served` last, and the jobs of a group stay in their order.
    """
    if not keys:
        return [*jobs]
    key, *inner = keys
    groups: dict[Hashable, list[Any]] = {}
    for job in jobs:
        groups.setdefault(key(job), []).append(job)
    ordered = sorted(groups.values(), key=lambda group: min(served(job) for job in group))
    rows = [take_turns(group, inner, served) for group in ordered]
    return [job for turn in zip_longest(*rows) for job in turn if job is not None]


class FairQueue(Queue):
    """Gradio's queue, in which clients take turns and no event comes with wrong arguments."""

    def __init__(
        self, sessions: Sessions, limits: Limits, refuse: Callable[..., Any], **options: Any
    ) -> None:
        """`refuse` is an event's function that raises its one argument, a sentence."""
        super().__init__(**options)
        self.sessions, self.limits = sessions, limits
        self._refuse = next(i for i, fn in self.blocks.fns.items() if fn.fn is refuse)
        self.ANALYTICS_MAX_EVENTS = 1
        self._served: dict[Hashable, float] = {}  # of a client's session: the number of its turn
        self._turn = 0.0

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        """Queue an event, unless its client has too many; a wrong argument is an error of it."""
        client = str(request.scope.get(CLIENT, ""))
        if body.fn_index not in self.blocks.fns or body.fn_index == self._refuse:
            return False, "There is no such endpoint.", "error"
        if body.session_hash is not None:
            self.sessions.use(body.session_hash, client)
        problem = self._find_crowd(client, body.session_hash)
        if problem:
            return False, problem, "queue_full"
        fn = self.blocks.fns[body.fn_index]
        problem = find_problem(fn, body.data)
        if problem:
            body.fn_index, body.data = self._refuse, [problem]
        else:
            body.data = pure_values(fn, body.data)
        alone = body.session_hash is None  # a program's call is a session of its own
        result = await super().push(body, request, username)
        if alone and body.session_hash is not None:
            self.sessions.use(body.session_hash, client)
        for line in self.event_queue_per_concurrency_id.values():
            self._order(line.queue)
        return result

    def get_events(self) -> Any:
        """The next event that may run: at most a few of one session run at once."""
        running = Counter(self._client_of(event) for event in self._running())
        for concurrency_id, line in self.event_queue_per_concurrency_id.items():
            limit = line.concurrency_limit
            if not line.queue or (limit is not None and line.current_concurrency >= limit):
                continue
            for event in line.queue:
                if running[self._client_of(event)] < self.limits.running_each:
                    line.queue.remove(event)
                    self._turn += 1
                    self._served[self._client_of(event)] = self._turn
                    self._order(line.queue)
                    return [event], False, concurrency_id
        return None

    def send_message(self, event: Event, event_message: Any) -> None:
        """Send a message; an error is one sentence, whatever has failed."""
        failed = isinstance(event_message, ProcessCompletedMessage) and not event_message.success
        if failed and not (event_message.output or {}).get("error"):
            event_message.output = {**(event_message.output or {}), "error": FAILED}
        self.sessions.touch(event.session_hash)
        if event.session_hash in self.pending_messages_per_session:  # it may have been dropped
            super().send_message(event, event_message)

    def compute_analytics_summary(self, records: Any) -> Any:
        """Nothing: gradio makes a table of up to 10,000 events after each of them."""
        del records
        return self.cached_event_analytics_summary

    def forget(self, session: str) -> None:
        """Forget the messages that a session has not taken."""
        self.pending_messages_per_session.pop(session, None)
        self.pending_event_ids_session.pop(session, None)

    def _order(self, line: list[Event]) -> None:
        if len(self._served) > 10 * self.limits.waiting:
            waiting = {self._client_of(event) for event in line}
            self._served = {key: turn for key, turn in self._served.items() if key in waiting}
        keys = (lambda e: self._client_of(e)[0], self._client_of)
        line[:] = take_turns(line, keys, lambda e: self._served.get(self._client_of(e), 0.0))

    def _client_of(self, event: Event) -> tuple[str, str]:
        """Who waits: a client's session, or all sessions together that keep no page open.

        Sessions cost nothing to name, so that those without a page share one turn.
        """
        client = str(event.request.scope.get(CLIENT, ""))
        session = event.session_hash
        return client, session if self.sessions.has_page(session) else ""

    def _running(self) -> Iterable[Event]:
        return (event for job in self.active_jobs if job for event in job)

    def _find_crowd(self, client: str, session: str | None) -> str:
        """Why a client may queue no more for now; empty where it may."""
        waiting = [e for line in self.event_queue_per_concurrency_id.values() for e in line.queue]
        own = sum(event.session_hash == session for event in waiting)
        clients = sum(str(event.request.scope.get(CLIENT, "")) == client for event in waiting)
        if own >= self.limits.waiting_session:
            return f"{own} jobs of yours wait already; try again when some are done."
        if clients >= self.limits.waiting_each:
            return f"{clients} jobs from your address wait already; try again when some are done."
        if len(waiting) >= self.limits.waiting:
            return f"{len(waiting)} jobs wait already; try again later."
        return ""
