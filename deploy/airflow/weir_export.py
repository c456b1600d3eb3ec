"""A training set every night: new data into the curated tables, then an export.

What comes after, such as a training run, is skipped where the export says that
nothing has changed. Workers need weir on their PATH and the lake's volume; keys of
the object store come from the worker's environment.
"""

import json
import subprocess
from datetime import datetime, timedelta

from airflow.sdk import dag, task

LAKE = "/srv/lake"
OUT = "/srv/training/openai"


def weir(*words):
    """Runs a weir command; its stderr goes to the task's log."""
    return subprocess.run(["weir", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


@dag(
    schedule="41 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
)
def weir_export():
    @task
    def transform():
        weir("transform", "--lake", LAKE, "--quiet")

    @task.short_circuit
    def export():
        shown = json.loads(
            weir("export", "--lake", LAKE, "--target", "openai", "--out", OUT, "--if-changed", "--keep", "5", "--quiet", "--json")
        )
        print(shown["content_hash"], "changed" if shown["changed"] else "unchanged")
        return shown["changed"]

    @task
    def announce():
        """The place for what a new training set is to start."""
        print(f"new training set: {OUT}/latest")

    transform() >> export() >> announce()


weir_export()
