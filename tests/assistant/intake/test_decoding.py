"""Films are decoded in processes of their own: limited, ended, replaced, and out of the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import bombs
import films
import numpy as np
import psutil
import pytest
from conftest import REPO
from films import EIGHT, TRUTH, dicom, levels, picture, refusal, written

from assistant.errors import IntakeError
from assistant.intake import read_film_bytes
from assistant.intake.decoding import MOST, close_decoders
from assistant.intake.limits import memory_for, seconds_for

FILM = picture(EIGHT)


def decoders(parent: int | None = None) -> list[psutil.Process]:
    """The decoding processes of a process."""
    return [
        child
        for child in psutil.Process(parent).children()
        if "assistant.intake.decoding_process" in child.cmdline()
    ]


@pytest.mark.parametrize(
    "name",
    [
        name if "as large" not in name and "full" not in name
        else pytest.param(name, marks=pytest.mark.long)
        for name in bombs.BOMBS
    ],
)  # fmt: skip
def test_a_bomb_is_a_film_or_a_refusal_within_the_limits(name: str) -> None:
    data = bombs.BOMBS[name]()
    close_decoders()
    read_film_bytes(FILM)
    began = time.perf_counter()
    try:
        read_film_bytes(data)
    except IntakeError as refused:
        assert str(refused).isprintable()
    took = time.perf_counter() - began
    assert took < 5 * seconds_for(len(data))  # of the clock: others use this machine, too
    for process in decoders():
        assert process.cpu_times().user < seconds_for(len(data)) + 2  # and the start
        if hasattr(psutil.Process, "memory_full_info"):
            assert process.memory_info().rss < memory_for(len(data))


@pytest.mark.skipif(not hasattr(signal, "SIGPROF"), reason="there are no such timers here")
def test_what_takes_too_long_is_ended_in_a_sentence_and_the_next_film_is_read() -> None:
    close_decoders()
    read_film_bytes(FILM)
    (decoder,) = decoders()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(read_film_bytes, bombs.noisy_jpeg(4000, 50, progressive=True))
        before = sum(decoder.cpu_times()[:2])
        while sum(decoder.cpu_times()[:2]) < before + 0.1:
            time.sleep(0.01)
        decoder.send_signal(signal.SIGPROF)  # as the timer does
        with pytest.raises(IntakeError, match="takes over 2 seconds to decode"):
            running.result()
    assert read_film_bytes(FILM).pixels.shape == EIGHT.shape


@pytest.mark.long
def test_a_film_of_too_much_work_for_its_size_is_refused() -> None:
    assert "seconds to decode" in refusal(bombs.full_j2k(bombs.LARGE))


def test_a_decoder_that_is_killed_is_replaced() -> None:
    read_film_bytes(FILM)
    before = {process.pid for process in decoders()}
    assert before
    for process in decoders():
        process.kill()
        process.wait()
    assert read_film_bytes(FILM).pixels.shape == EIGHT.shape
    assert not before & {process.pid for process in decoders()}


def test_one_visitors_slow_film_keeps_no_other_waiting() -> None:
    slow = bombs.noisy_jpeg(5000, 50, progressive=True)
    read_film_bytes(FILM)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(read_film_bytes, slow)
        time.sleep(0.05)
        for _ in range(3):
            read_film_bytes(FILM)
        assert not running.done()
        assert running.result().pixels.shape == (5000, 5000)


def test_many_threads_each_get_their_own_film() -> None:
    truths = [np.roll(EIGHT, shift, axis=1) for shift in range(24)]
    made = [picture(truth) for truth in truths]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda data: read_film_bytes(data).pixels, made * 3))
    for pixels, truth in zip(read, truths * 3, strict=True):
        assert np.array_equal(pixels, truth / np.float32(255))
    assert len(decoders()) <= MOST


def _shape(data: bytes) -> tuple[int, ...]:
    return read_film_bytes(data).pixels.shape


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_a_child_process_has_decoders_of_its_own(how: str) -> None:
    read_film_bytes(FILM)
    with multiprocessing.get_context(how).Pool(1) as pool:
        assert pool.apply(_shape, (FILM,)) == EIGHT.shape
    assert _shape(FILM) == EIGHT.shape


READER = """
import sys, time, films
from assistant.intake import read_film_bytes
read_film_bytes(films.picture(films.EIGHT))
print("ready", flush=True)
if len(sys.argv) > 1:
    time.sleep(60)
"""


def start_reader(*arguments: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join((str(REPO), str(REPO / "tests" / "support")))
    return subprocess.Popen(
        [sys.executable, "-c", READER, *arguments],
        env=os.environ | {"PYTHONPATH": paths, "API_KEY": "sesame"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_no_decoder_outlives_its_parent_or_knows_its_secrets() -> None:
    with start_reader("stay") as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline().strip() == "ready"
        (decoder,) = decoders(reader.pid)
        if sys.platform == "linux":
            assert "API_KEY" not in decoder.environ()
        reader.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs([decoder], timeout=20)
    assert not alive


def test_a_program_that_has_read_films_ends_without_a_word() -> None:
    with start_reader() as reader:
        said, complained = reader.communicate(timeout=60)
    assert (said.strip(), complained, reader.returncode) == ("ready", "", 0)


def test_decoding_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no sockets here")

    monkeypatch.setattr(socket, "socket", refuse)
    close_decoders()
    assert read_film_bytes(FILM).pixels.shape == EIGHT.shape


def test_nothing_of_a_film_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    whole = written(dicom(levels(TRUTH, 12), **films.SECRETS))
    for data in (whole, whole.replace(b"MONOCHROME2 ", b"zebedee quiz")):
        try:
            read_film_bytes(data)
        except IntakeError as refused:
            assert "zebedee" not in str(refused)
    assert capfd.readouterr() == ("", "")


def test_memory_returns_after_two_hundred_films() -> None:
    large = picture(np.tile(EIGHT, (6, 6)))
    read_film_bytes(large)
    here = psutil.Process()
    before = here.memory_info().rss
    for _ in range(200):
        read_film_bytes(large)
    assert here.memory_info().rss < 1.1 * before + 2**20


def test_a_large_film_is_read_whole() -> None:
    grain = np.random.default_rng(0).integers(0, 4096, (4000, 5000), np.uint16)
    film = read_film_bytes(written(dicom(grain, 12)))
    assert np.abs(film.pixels[::97, ::89] * 4095 - grain[::97, ::89]).max() < 0.01
