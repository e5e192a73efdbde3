"""Tables, settings, adapters' cards and reports: odd words in every place, and damaged files."""

from __future__ import annotations

import csv
import functools
import io
import json
import shutil
from pathlib import Path
from random import Random

from assistant.backbones.adapters import find_adapters
from assistant.backbones.loading import backbone_folder
from assistant.backbones.settings import read_settings
from assistant.batch.manifest import list_rows
from assistant.errors import WetreadError
from assistant.labeller.sentences import parse_sentences
from evals.report.pairs import read_predictions
from tests.fuzz.films import whole_films
from tests.fuzz.mutations import ODD_TEXTS, mutate
from tests.fuzz.outcomes import PATIENT, Outcome, check_refusal

COLUMNS = ("image", "report", "labels", "patient", "indication", "prior_report", "split")
SETTINGS = """
[encoder]
model = "mini"
[writer]
kind = "server"
url = "http://127.0.0.1:8000/v1"
model = "base"
timeout = 20.0
[painter]
model = "mini"
"""
WORDS = (
    "No pneumothorax. Small left pleural effusion, unchanged.",
    "FINDINGS: Heart size normal; lungs clear w/o consolidation",
    "1.no evidence of pneumonia.2.right lower lobe opacity?",
    "There is no", "or", "and", ",", "cannot be excluded", "XXXX", "___", "\n", "IMPRESSION:",
    "9 mm nodule in the right upper lobe", "has resolved", "b/l", "R>L",
)  # fmt: skip


def fuzz_table(random: Random, folder: Path) -> Outcome:
    """List a manifest, or read a file of predictions, with odd cells."""
    (folder / "a.png").write_bytes(whole_films()["png8"])
    rows = [_row(random) for _ in range(3)]
    kind = random.choice(("csv", "jsonl", "predictions"))
    if kind == "csv":
        file = io.StringIO()
        table = csv.writer(file)
        table.writerow(random.sample(COLUMNS, len(COLUMNS)) + ["image"] * (random.random() < 0.1))
        table.writerows([*row.values()] for row in rows)
        data = file.getvalue().encode("utf-8", "surrogatepass")
    else:
        data = "\n".join(json.dumps(row) for row in rows).encode()
    if random.random() < 0.5:
        _, data = mutate(data, random)
    path = folder / ("cases.csv" if kind == "csv" else "cases.jsonl")
    path.write_bytes(data)
    try:
        if kind == "predictions":
            for pair in read_predictions(path):
                assert pair.reference != "nan"
        else:
            for row in list_rows(folder).rows():
                assert getattr(row.source, "indication", "") != "nan"
    except WetreadError as error:
        return check_refusal(error)
    return "read"


def _row(random: Random) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(COLUMNS, "")
    row |= {"image": "a.png", "report": "Clear lungs.", "patient": PATIENT, "split": "train"}
    row |= {"case": random.choice(("1", "2", PATIENT)), "reference": "Clear.", "text": "Clear."}
    for name in [*row]:
        if random.random() < 0.15:
            row[name] = random.choice((*ODD_TEXTS, float("nan"), None, 10**20, [PATIENT], {"a": 1}))
    return row


def fuzz_settings(random: Random, folder: Path) -> Outcome:
    """Read a settings file with odd values."""
    lines = SETTINGS.strip().splitlines()
    for _ in range(random.choice((0, 1, 3))):
        place = random.randrange(len(lines))
        key = lines[place].partition("=")[0].strip("[] ")
        odd = random.choice((*ODD_TEXTS, '"x"', "[]", "{}", '["a", "b"]', "inf", "nan"))
        lines[place] = f"{key} = {odd}"
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    if random.random() < 0.5:
        _, data = mutate(data, random)
    path = folder / "backbone.toml"
    path.write_bytes(data)
    try:
        read_settings(path)
    except WetreadError as error:
        return check_refusal(error)
    return "read"


@functools.cache
def _adapter_files() -> dict[str, bytes]:
    folder = backbone_folder() / "adapters" / "report"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def fuzz_adapter(random: Random, folder: Path) -> Outcome:
    """Find an adapter one of whose files is mutated, or whose JSON bears odd values."""
    out = folder / "adapter"
    out.mkdir()
    files = dict(_adapter_files())
    name = random.choice([*files])
    if name.endswith(".json") and random.random() < 0.6:
        value = json.loads(files[name])
        _spoil(value, random)
        files[name] = json.dumps(value).encode()
    else:
        _, files[name] = mutate(files[name], random)
    for each, data in files.items():
        (out / each).write_bytes(data)
    try:
        (found,) = find_adapters(backbone_folder(), [out], include_own=False)
    except WetreadError as error:
        return check_refusal(error)
    assert found.task == "report"
    shutil.rmtree(out)
    return "read"


def _spoil(value: object, random: Random) -> None:
    """Put an odd value somewhere into what JSON has given."""
    odd = random.choice((*ODD_TEXTS, None, -1, 2**64, 1e30, [], {}, [[]], True, float("nan")))
    if isinstance(value, dict) and value:
        key = random.choice([*value])
        if isinstance(value[key], dict | list) and value[key] and random.random() < 0.6:
            _spoil(value[key], random)
        elif random.random() < 0.2:
            del value[key]
        else:
            value[key] = odd
    elif isinstance(value, list) and value:
        value[random.randrange(len(value))] = odd


def fuzz_report(random: Random, folder: Path) -> Outcome:
    """Parse a report put together from pieces of reports and odd texts."""
    pieces = (*WORDS, *WORDS, *ODD_TEXTS)
    count = random.choice((1, 4, 16, 200))
    text = random.choice((" ", "", ".", "\n")).join(random.choices(pieces, k=count))
    for sentence in parse_sentences(text):
        for assertion in sentence.assertions:
            assert assertion.polarity in ("present", "absent", "uncertain")
    return "read"
