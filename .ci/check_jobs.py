"""Drives a job API with the provider's own Python client.

usage: python .ci/check_jobs.py PROVIDER BASE_URL KEY FILE

PROVIDER is openai, azure, together, fireworks or mistral; the server is weir's
local one (train/localserver). The client parses what the server says into its
own types, and what they hold is checked here: a file sent, listed and read, a
job ordered and followed to its end, its events and checkpoints, a second job
cancelled. Exits 1 with a trace where a word is not the provider's.
"""

import os
import pathlib
import sys
import time

SUFFIX = "weir-0123abcd"


def until(read, done):
    """What read gives once it is done; a local server needs a few looks."""
    for _ in range(20):
        found = read()
        if done(found):
            return found
        time.sleep(0.01)
    raise SystemExit(f"never done: {found}")


def openai(base, key, path, client=None):
    import openai as sdk

    client = client or sdk.OpenAI(base_url=base, api_key=key, max_retries=0)
    azure = isinstance(client, sdk.AzureOpenAI)
    file = client.files.create(file=pathlib.Path(path), purpose="fine-tune")
    assert [f.id for f in client.files.list(purpose="fine-tune", order="desc", limit=100)] == [file.id]
    until(lambda: client.files.retrieve(file.id), lambda f: f.status in ("uploaded", "processed"))
    more = {} if azure else {"metadata": {"weir_run": "0123abcd"}}

    def order():
        return client.fine_tuning.jobs.create(
            model="small-1b", training_file=file.id, validation_file=file.id, suffix=SUFFIX, seed=7,
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5}}}, **more,
        )

    job = order()
    assert [j.id for j in client.fine_tuning.jobs.list(limit=100)] == [job.id]
    job = until(lambda: client.fine_tuning.jobs.retrieve(job.id), lambda j: j.status == "succeeded")
    assert job.trained_tokens == 12_000 and job.fine_tuned_model and job.finished_at > job.created_at and job.error is None
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=100))
    points = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=100))
    assert {e.type for e in events} == {"message", "metrics"} and points[0].metrics.train_loss and points[0].step_number == 9
    assert client.fine_tuning.jobs.cancel(order().id).status == "cancelled"
    return len(events), len(points)


def azure(base, key, path):
    import openai as sdk

    return openai(base, key, path, sdk.AzureOpenAI(base_url=base, api_key=key, api_version="preview", max_retries=0))


def together(base, key, path):
    os.environ["TOGETHER_NO_BANNER"] = "1"
    import requests
    import together as sdk

    client = sdk.Together(api_key=key, base_url=base, max_retries=0)
    # The client sends files by a redirect to the provider's store; the description's
    # plain upload is what weir uses, and what is sent here.
    reply = requests.post(base + "/files/upload", headers={"Authorization": "Bearer " + key}, data={"purpose": "fine-tune", "file_name": "train.jsonl"}, files={"file": open(path, "rb")}, timeout=20)
    reply.raise_for_status()
    file = sdk.types.FileResponse(**reply.json())
    assert [f.id for f in client.files.list().data] == [file.id]
    until(lambda: client.files.retrieve(file.id), lambda f: f.processed)

    def order():
        return client.fine_tuning.create(
            model="small-1b", training_file=file.id, validation_file=file.id, n_evals=1, suffix=SUFFIX, n_epochs=2, batch_size=4, learning_rate=1e-5,
            lora=True, lora_r=8, lora_alpha=16, training_method="sft",
        )

    job = order()
    assert [j.id for j in client.fine_tuning.list().data] == [job.id]
    job = until(lambda: client.fine_tuning.retrieve(job.id), lambda j: j.status.value == "completed")
    assert job.token_count == 12_000 and job.output_name == "team/out" and job.updated_at > job.created_at
    events = client.fine_tuning.list_events(job.id).data
    points = client.fine_tuning.list_checkpoints(job.id)
    assert events[0].message and points[0].name
    assert client.fine_tuning.cancel(order().id).status.value == "cancelled"
    return len(events), len(points)


def fireworks(base, key, path):
    import fireworks as sdk

    root, _, account = base.partition("/v1/accounts/")
    client = sdk.Fireworks(api_key=key, account_id=account, base_url=root, max_retries=0)
    client.datasets.create(dataset_id="weir-set", dataset={"display_name": "set", "format": "CHAT", "example_count": "3", "user_uploaded": {}})
    client.datasets.upload("weir-set", file=pathlib.Path(path))
    dataset = until(lambda: client.datasets.get("weir-set"), lambda d: d.state == "READY")

    def order(name):
        return client.supervised_fine_tuning_jobs.create(
            dataset=dataset.name, evaluation_dataset=dataset.name, supervised_fine_tuning_job_id=name, base_model="small-1b", output_model=SUFFIX,
            display_name=SUFFIX, epochs=2, learning_rate=1e-5, lora_rank=8, batch_size_samples=4,
        )

    order("weir-1")
    try:
        order("weir-1")
        raise SystemExit("a second job of the name was taken")
    except sdk.ConflictError:
        pass
    jobs = client.supervised_fine_tuning_jobs
    assert [j.name for j in jobs.list(page_size=200)] == [f"accounts/{account}/supervisedFineTuningJobs/weir-1"]
    job = until(lambda: jobs.get("weir-1"), lambda j: j.state == "JOB_STATE_COMPLETED")
    assert job.estimated_cost.units == "1" and job.completed_time > job.create_time and job.job_progress.percent == 100 and job.output_model
    order("weir-2")
    jobs.cancel("weir-2", body={})
    assert jobs.get("weir-2").state == "JOB_STATE_CANCELLED"
    client.dpo_jobs.create(
        dataset=dataset.name, dpo_job_id="weir-3", display_name=SUFFIX,
        training_config={"base_model": "small-1b", "output_model": SUFFIX, "epochs": 2, "learning_rate": 1e-5, "lora_rank": 8, "batch_size_samples": 4},
    )
    assert [j.training_config.base_model for j in client.dpo_jobs.list(page_size=200)] == ["small-1b"]
    return 0, 0


def mistral(base, key, path):
    try:
        from mistralai.client import Mistral
    except ImportError:
        from mistralai import Mistral

    client = Mistral(api_key=key, server_url=base.removesuffix("/v1"))
    file = client.files.upload(file={"file_name": "train.jsonl", "content": open(path, "rb")}, purpose="fine-tune")
    assert [f.id for f in client.files.list(purpose="fine-tune", page=0, page_size=100).data] == [file.id]
    assert client.files.retrieve(file_id=file.id).filename == "train.jsonl"

    def order(suffix):
        return client.fine_tuning.jobs.create(
            model="small-1b", training_files=[{"file_id": file.id, "weight": 1}], validation_files=[file.id], suffix=suffix, auto_start=True,
            invalid_sample_skip_percentage=0, hyperparameters={"epochs": 2, "learning_rate": 1e-5},
        )

    job = order(SUFFIX)
    assert [j.id for j in client.fine_tuning.jobs.list(page=0, page_size=100).data] == [job.id]
    job = until(lambda: client.fine_tuning.jobs.get(job_id=job.id), lambda j: j.status == "SUCCESS")
    assert job.trained_tokens == 12_000 and job.fine_tuned_model and job.metadata.cost == 4.5
    assert job.events[0].name and job.checkpoints[0].metrics.train_loss
    assert client.fine_tuning.jobs.cancel(job_id=order(SUFFIX + "b").id).status == "CANCELLED"
    return len(job.events), len(job.checkpoints)


def main():
    provider, base, key, path = sys.argv[1:]
    events, points = {"openai": openai, "azure": azure, "together": together, "fireworks": fireworks, "mistral": mistral}[provider](base, key, path)
    print(f"{provider}: the provider's client read file, job, {events} events and {points} checkpoints")


main()
