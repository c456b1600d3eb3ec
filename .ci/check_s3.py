"""Looks at an object store with boto3: make the bucket; kill N COMMAND…: run it, and
kill it once N objects and parts are there, where no manifest may be without its
files; same DIR: the version that latest.json names is
the export in DIR, file by file."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

import boto3
import botocore.exceptions

s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"], region_name="us-east-1")


def keys():
    return {o["Key"] for o in s3.list_objects_v2(Bucket="datasets").get("Contents", [])}


def get(key):
    return s3.get_object(Bucket="datasets", Key=key)["Body"].read()


def make():
    for _ in range(100):
        try:
            return s3.create_bucket(Bucket="datasets")
        except botocore.exceptions.EndpointConnectionError:
            time.sleep(0.2)
    sys.exit("the server did not start")


def parts():
    uploads = s3.list_multipart_uploads(Bucket="datasets").get("Uploads", [])
    return sum(len(s3.list_parts(Bucket="datasets", Key=u["Key"], UploadId=u["UploadId"]).get("Parts", [])) for u in uploads)


def kill(after, command):
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while running.poll() is None:
        if len(keys()) + parts() >= after:
            running.kill()
            break
    running.wait()
    there = keys()
    for key in there:
        if key.endswith("/manifest.json"):
            folder = key.removesuffix("manifest.json")
            missing = [f["name"] for f in json.loads(get(key))["files"] if folder + f["name"] not in there]
            if missing:
                sys.exit(f"{key} is there, {missing} are not")
    print(f"killed at {after}: {len(there)} objects and {parts()} parts are there")


def same(folder):
    latest = json.loads(get("team/latest.json"))
    root = f"team/{latest['version']}/"
    files = [p for p in pathlib.Path(folder).rglob("*") if p.is_file()]
    for path in files:
        text = get(root + path.relative_to(folder).as_posix())
        if hashlib.sha256(text).digest() != hashlib.sha256(path.read_bytes()).digest():
            sys.exit(f"{path}: the object is another")
    if len(keys()) != len(files) + 1:
        sys.exit(f"{sorted(keys())}: more than the export")
    left = s3.list_multipart_uploads(Bucket="datasets").get("Uploads", [])
    if left:
        sys.exit(f"begun and not ended: {left}")
    print(f"{len(files)} objects are the files of the export")


if sys.argv[1] == "make":
    make()
elif sys.argv[1] == "kill":
    kill(int(sys.argv[2]), sys.argv[3:])
else:
    same(sys.argv[2])
