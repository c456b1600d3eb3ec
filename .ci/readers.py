"""Reads every table of a lake with readers that weir did not write.

usage: weir lake tables --lake DIR --json | python .ci/readers.py DIR

delta-rs reads the Delta log of each table; pandas and Polars read the Parquet
files under current/, which is resolved once. All must find the rows and the
version that weir itself counts; delta-rs and Polars must also agree on the
columns and on the NULLs in each, nested columns included. Prints a table;
exits 1 on a difference.
"""

import json
import os
import sys
from pathlib import Path

import pandas
import polars
from deltalake import DeltaTable


def read(lake: Path, current: Path, table: str) -> dict:
    """What each reader finds of one table: rows, or the error's text."""
    found = {}
    layer, name = table.split(".")
    frames = {}

    def attempt(reader, rows):
        try:
            found[reader] = rows()
        except Exception as error:  # a reader's refusal is a result to show
            found[reader] = f"{type(error).__name__}: {error}".splitlines()[0][:80]

    def delta_rs():
        delta = DeltaTable(lake / layer / name)
        found["version"] = delta.version()
        # Every column is read, not the log's row counts.
        frames["delta"] = polars.DataFrame(delta.to_pyarrow_table())
        return len(frames["delta"])

    def with_polars():
        frames["polars"] = polars.read_parquet(files, missing_columns="insert")
        return len(frames["polars"])

    def with_pandas():
        return sum(len(pandas.read_parquet(file)) for file in files)

    files = sorted((current / layer / name).glob("*.parquet"))
    attempt("delta-rs", delta_rs)
    attempt("polars", with_polars)
    attempt("pandas", with_pandas)
    found["alike"] = len(frames) == 2 and nulls(frames["delta"]) == nulls(frames["polars"])
    return found


def nulls(frame: polars.DataFrame) -> dict:
    """NULLs by column, nested fields too; lists count their lengths."""
    counts = {}
    for column in frame:
        visit(column.name, column, counts)
    return counts


def visit(path: str, column: polars.Series, counts: dict) -> None:
    counts[path] = (str(column.dtype.base_type()), column.null_count())
    if column.dtype == polars.List:
        counts[path + " lengths"] = column.list.len().sum()
        visit(path + "[]", column.explode(), counts)
    elif column.dtype == polars.Struct:
        for field in column.struct.fields:
            visit(f"{path}.{field}", column.struct.field(field), counts)


def main() -> int:
    lake = Path(sys.argv[1])
    current = Path(os.path.realpath(lake / "current"))
    tables = json.load(sys.stdin)
    readers = ["delta-rs", "polars", "pandas"]
    print(f"{'table':<28}{'weir':>10}" + "".join(f"{reader:>10}" for reader in readers))
    different = 0
    for table in tables:
        found = read(lake, current, table["table"])
        faults = [reader for reader in readers if found[reader] != table["rows"]]
        if found.get("version") != table["version"]:
            faults.append(f"version {found.get('version')}, weir's is {table['version']}")
        if not found["alike"]:
            faults.append("columns or NULLs differ")
        different += bool(faults)
        counts = "".join(f"{found[reader]:>10}" if isinstance(found[reader], int) else "     error" for reader in readers)
        print(f"{table['table']:<28}{table['rows']:>10}{counts}" + ("  <- " + "; ".join(faults) if faults else ""))
        for reader in readers:
            if isinstance(found[reader], str):
                print(f"    {reader}: {found[reader]}")
    if not tables:
        print("no tables")
    print(f"{len(tables)} tables, {different} different")
    return 1 if different or not tables else 0


if __name__ == "__main__":
    sys.exit(main())
