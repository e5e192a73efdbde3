"""How much of the server a visitor may take, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers that bound what visitors take: connections, seconds, jobs, bytes, sessions.

    A *client* is a login where there are logins, and otherwise an address.
    """

    # Connections and requests
    connections: int = 600
    connections_each: int = 200  # of one address
    header_seconds: float = 10.0  # until the headers of a request are there
    body_seconds: float = 20.0  # for a body; more, the more of it has come
    body_bytes_per_second: int = 16_384  # that a body must bring in the long run
    send_seconds: float = 60.0  # until a visitor has taken what was sent
    json_bytes: int = 1 * MIB
    json_depth: int = 16

    # Jobs
    waiting: int = 300  # that wait in line
    waiting_each: int = 100  # of one client
    waiting_session: int = 20  # of one session
    running_each: int = 4  # of one session, at the same time

    # Uploads and films, on disk
    upload_bytes: int = 2 * GIB  # of one file, which may be a zip; a film's own limit is intake's
    upload_files: int = 100  # of one request
    upload_bytes_each: int = 4 * GIB  # of one client, not read yet
    upload_files_each: int = 400
    upload_bytes_all: int = 16 * GIB
    upload_seconds: float = 900.0  # until a file that nobody has read is deleted
    session_bytes: int = 4 * GIB  # of a session's films
    free_bytes: int = 512 * MIB  # of the disk, which stay free

    # Sessions
    sessions: int = 200  # the one that was idle longest goes first
    idle_seconds: float = 3600.0
    silent_seconds: float = 600.0  # idle, of a session whose page keeps no heartbeat open
    closed_seconds: float = 6.0  # after a page was closed, lest it only lost its connection
    sweep_seconds: float = 2.0

    # Logins
    login_idle_seconds: float = 3600.0
    login_seconds: float = 12 * 3600.0
    logins: int = 1000
    free_tries: int = 5  # of one address, before it must wait
    longest_wait_seconds: float = 900.0
    name_tries: int = 20  # of a name, from all addresses; one more every two seconds
