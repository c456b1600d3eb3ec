"""Reads every table of a lake with readers that weir did not write.

usage: weir lake tables --lake DIR --json | python .ci/readers.py DIR [SPARK_JARS]

delta-rs, and Spark where its Delta jars are given, read the Delta log of each
table; DuckDB reads the published catalog; Polars and pandas read the Parquet
files under current/, which is resolved once (where a column was added, Polars
reads by the log). All must find the rows and the
version that weir itself counts, and all but pandas must agree on a checksum of
every column, nested ones included. Prints a table; exits 1 on a difference.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import duckdb
import pandas
import polars
import pyarrow.parquet
from deltalake import DeltaTable


def read(lake: Path, current: Path, table: str, catalog, spark) -> dict:
    """What each reader finds of one table: rows, or the error's text."""
    found = {}
    layer, name = table.split(".")
    frames = {}
    files = sorted((current / layer / name).glob("*.parquet"))

    def attempt(reader, rows):
        try:
            found[reader] = rows()
        except Exception as error:  # a reader's refusal is a result to show
            found[reader] = f"{type(error).__name__}: {error}".splitlines()[0][:80]

    def delta_rs():
        delta = DeltaTable(lake / layer / name)
        found["version"] = delta.version()
        # Every column is read, not the log's row counts.
        frames["delta-rs"] = polars.DataFrame(delta.to_pyarrow_table())
        return len(frames["delta-rs"])

    def with_polars():
        # Files alone do not say what a column that came later, or a field within
        # one, is in the older ones: there Polars needs the log as well.
        frames["polars"] = polars.read_delta(str(lake / layer / name)) if evolved(files) else polars.read_parquet(files)
        return len(frames["polars"])

    def with_pandas():
        return sum(len(pandas.read_parquet(file)) for file in files)

    def with_duckdb():
        frames["duckdb"] = polars.DataFrame(catalog.execute(f'from "{layer}"."{name}"').to_arrow_table())
        return len(frames["duckdb"])

    def with_spark():
        rows = spark.read.format("delta").load(str(lake / layer / name)).toArrow()
        # Spark's own buffers have offsets that Polars refuses: a copy has none.
        copy = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(rows, copy)
        frames["spark"] = polars.read_parquet(copy.getvalue().to_pybytes())
        return len(frames["spark"])

    attempt("delta-rs", delta_rs)
    attempt("duckdb", with_duckdb)
    attempt("polars", with_polars)
    attempt("pandas", with_pandas)
    if spark:
        attempt("spark", with_spark)
    sums = {reader: checksums(frame) for reader, frame in frames.items()}
    reference = sums.get("delta-rs", {})
    found["unlike"] = []
    for reader, columns in sums.items():
        differing = sorted(path for path in columns.keys() | reference.keys() if columns.get(path) != reference.get(path))
        if differing:
            found["unlike"].append(f"{reader}: {', '.join(differing[:3])}")
    return found


def evolved(files) -> bool:
    """Files of before and after a column, or a field within one, was added."""
    return len({str(polars.read_parquet_schema(file)) for file in files}) > 1


def checksums(frame: polars.DataFrame) -> dict:
    """NULLs and a sum of hashes by column, nested fields too; lists by their lengths."""
    sums = {}
    for column in frame:
        visit(column.name, column, sums)
    return sums


def visit(path: str, column: polars.Series, sums: dict) -> None:
    if column.dtype == polars.List:
        sums[path] = ("list", column.null_count(), int(column.list.len().sum() or 0))
        visit(path + "[]", column.explode(), sums)
    elif column.dtype == polars.Struct:
        for field in column.struct.fields:
            visit(f"{path}.{field}", column.struct.field(field), sums)
    else:
        if column.dtype == polars.Datetime:
            column = column.dt.epoch("us")
        values = [value for value in column.to_list() if value is not None]
        total = sum(int.from_bytes(hashlib.md5(repr(value).encode()).digest()[:6], "big") for value in values)
        sums[path] = (str(column.dtype.base_type()), len(values), total)


def start_spark(jars: str):
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", ",".join(str(jar) for jar in sorted(Path(jars).glob("delta-*.jar"))))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.databricks.delta.snapshotPartitions", "1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    print(f"Spark {spark.version}")
    return spark


def main() -> int:
    lake = Path(sys.argv[1])
    tables = json.load(sys.stdin)
    current = Path(os.path.realpath(lake / "current"))
    catalog = duckdb.connect(str(lake / "catalog.duckdb"), read_only=True)
    catalog.execute("set timezone = 'UTC'")
    spark = start_spark(sys.argv[2]) if len(sys.argv) > 2 else None
    readers = ["delta-rs", "duckdb", "polars", "pandas"] + (["spark"] if spark else [])
    print(f"{'table':<28}{'weir':>10}" + "".join(f"{reader:>10}" for reader in readers))
    different = 0
    for table in tables:
        found = read(lake, current, table["table"], catalog, spark)
        faults = [reader for reader in readers if found[reader] != table["rows"]]
        if found.get("version") != table["version"]:
            faults.append(f"version {found.get('version')}, weir's is {table['version']}")
        faults += found["unlike"]
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
