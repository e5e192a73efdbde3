"""Tables of training cases: what is wrong with a row is told by its number, never by its cells."""

from __future__ import annotations

import films
import numpy as np
import pytest

from adapters.adapter_recipe import FolderData
from adapters.data.cases import load_cases
from assistant.errors import WetreadError

NAME = "Doe^Jane"


def folder_of(tmp_path, labels):
    rows = ["image,patient,labels"]
    for number, label in enumerate(labels):
        picture = np.rint(np.roll(films.TRUTH, number) * 255).astype(np.uint8)
        (tmp_path / f"{number}.png").write_bytes(films.picture(picture))
        rows.append(f'{number}.png,p{number},"{label}"')
    (tmp_path / "cases.csv").write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    return FolderData(tmp_path, 0.5)


def test_a_label_that_names_no_finding_is_told_by_its_row(tmp_path):
    data = folder_of(tmp_path, ["Edema, Mass", f"Edema; {NAME}", "['Mass', 'Edema']", ""])
    told: list[str] = []
    cases = load_cases(data, tmp_path / "work", seed=0, edge=64, on_message=told.append)
    assert [m for m in told if "1 of 4 films" in m and "row 3" in m]
    assert NAME not in "".join(told)
    every = [*cases.train.cases, *cases.validation.cases]
    # The labels of a list are labels each, however the list is written.
    assert sorted(len(case.claims) for case in every) == [0, 1, 2, 2]


def test_a_table_with_a_column_twice_trains_nothing(tmp_path):
    data = folder_of(tmp_path, ["Edema", "Mass"])
    table = tmp_path / "cases.csv"
    table.write_text(table.read_text("utf-8-sig").replace("patient", "Labels "), encoding="utf-8")
    with pytest.raises(WetreadError, match="column labels twice"):
        load_cases(data, tmp_path / "work", seed=0, edge=64, on_message=lambda message: None)
