"""docs/sync-checklist.md: every number of upstream's list is there, and each test that it names exists."""

import re

import pytest
from conftest import ROOT

TEXT = (ROOT / "docs/sync-checklist.md").read_text()
NAMED = sorted(set(re.findall(r"`(\w+)/(\w+)(?:::(\w+))?`", TEXT)))
COUNTS = {"8.1": 16, "8.2": 7, "8.4": 114}


@pytest.mark.parametrize("folder, file, test", NAMED)
def test_what_the_list_names_exists(folder, file, test):
    places = [ROOT / "tests" / folder / f"{file}.py", ROOT / "tests" / folder / f"{file}.c", ROOT / "tests/unit" / folder / f"{file}.c"]
    there = [place for place in places if place.exists()]
    assert len(there) == 1, places
    if test:
        defined = rf"^def {test}\(" if there[0].suffix == ".py" else rf"cmocka_unit_test\w*\({test}\W"
        assert re.search(defined, there[0].read_text(), re.MULTILINE), f"{there[0]} has no {test}"


def numbers(text):
    """{1, 2, 3, 7} of "1-3, 7"."""
    found = set()
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text):
        found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize("section", COUNTS)
def test_every_number_has_its_row_and_only_one(section):
    part = TEXT.split(f"## {section} ")[1].split("\n## ")[0]
    rows = [numbers(row) for row in re.findall(r"^\| ([\d, -]+) \|", part, re.MULTILINE)]
    others = re.sub(r"\([^)]*\)", "", part.split("not served:")[1]) if "not served:" in part else ""
    rows.append(numbers(others))
    assert sorted(n for row in rows for n in row) == list(range(1, COUNTS[section] + 1))
