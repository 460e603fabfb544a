"""Writes the binary files of this folder.

Run with pyarrow 20 or newer: `python3 generate.py`. The CSV and JSON files beside them are written by hand, and
`people.*` hold the same rows in every format. The output is committed, so that tests need no Python.
"""

import datetime
import pathlib

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

FOLDER = pathlib.Path(__file__).parent


def people() -> pa.Table:
    day = datetime.date
    return pa.table(
        {
            "id": pa.array([1, 2, 3, 4, 5], pa.int64()),
            "name": ["Ada, Countess", "Jörg \"Jo\" Weiß", "", None, "山田 太郎"],
            "height": pa.array([1.65, 1.82, None, 1.7, 1.7], pa.float64()),
            "active": [True, False, True, None, True],
            "born": [day(1815, 12, 10), day(1961, 2, 28), day(2000, 2, 29), None, day(1970, 1, 1)],
            "tags": [["maths", "engines"], [], None, [None], ["x"]],
            "address": pa.array(
                [{"city": "London", "zip": 1}, {"city": "Köln", "zip": None}, None, {"city": None, "zip": 4}, {"city": "東京", "zip": 5}],
                pa.struct([("city", pa.string()), ("zip", pa.int64())]),
            ),
        }
    )


def many() -> pa.Table:
    """Ten row groups of 200 rows, sorted by v; every eleventh s is null."""
    rows = range(2000)
    return pa.table({"v": pa.array(rows, pa.int64()), "s": [None if v % 11 == 0 else f"k{v % 10}" for v in rows]})


def measured() -> pa.Table:
    """Floats of three widths whose statistics hide NaN: row group 1 is all 1.0 but for one NaN, row group 2 all NaN."""
    values = [1.0] * 100
    values[37] = float("nan")
    values += [float("nan")] * 100 + [float(v) for v in range(100)]
    return pa.table(
        {
            "id": pa.array(range(300), pa.int64()),
            "d": pa.array(values, pa.float64()),
            "f": pa.array(values, pa.float32()),
            "h": pa.array(values, pa.float32()).cast(pa.float16()),
        }
    )


def main() -> None:
    table = people()
    pa.parquet.write_table(table, FOLDER / "people.parquet")
    pa.feather.write_feather(table.select(["id", "name", "height"]), FOLDER / "people.arrow", compression="uncompressed")
    pa.parquet.write_table(many(), FOLDER / "many.parquet", row_group_size=200, write_page_index=True)
    pa.parquet.write_table(measured(), FOLDER / "measured.parquet", row_group_size=100, data_page_size=128, write_batch_size=10, write_page_index=True)
    for year, ids in {2023: [1, 2], 2024: [3, 4, 5]}.items():
        folder = FOLDER / "sales" / f"year={year}"
        folder.mkdir(parents=True, exist_ok=True)
        sales = pa.table({"id": pa.array(ids, pa.int64()), "amount": [id * 2.5 for id in ids]})
        pa.parquet.write_table(sales, folder / "part-0.parquet")
    (FOLDER / "broken.parquet").write_bytes(b"This is text, not Parquet.\n")


if __name__ == "__main__":
    main()
