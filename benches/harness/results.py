"""Raw rows as CSV and the settings beside them as JSON; earlier results are never written over."""

import csv
import dataclasses
import json
from pathlib import Path


def write(folder: Path, stem: str, rows: list, settings: dict) -> Path:
    """Writes `<stem>.csv` and `<stem>.json`, with `-2`, `-3`, … after the stem when it is taken. Returns the CSV's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.csv"
    number = 2
    while path.exists():
        path = folder / f"{stem}-{number}.csv"
        number += 1
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in dataclasses.fields(rows[0]))
        writer.writerows(map(_texts, rows))
    # Results are committed: no folder of one machine's user belongs in them.
    text = json.dumps(settings, indent=2).replace(str(Path.home()), "~")
    path.with_suffix(".json").write_text(text + "\n")
    return path


def _texts(row) -> list[str]:
    return [f"{value:.6f}" if isinstance(value, float) else str(value) for value in dataclasses.astuple(row)]


def read(path: Path, row_type: type) -> tuple[list, dict]:
    """The rows of a CSV written by `write`, and its settings."""
    with path.open(newline="") as file:
        types = {field.name: field.type for field in dataclasses.fields(row_type)}
        rows = [row_type(**{name: types[name](value) for name, value in row.items()}) for row in csv.DictReader(file)]
    return rows, json.loads(path.with_suffix(".json").read_text())
