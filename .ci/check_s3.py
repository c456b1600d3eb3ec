"""Looks at an object store with boto3: make the bucket; whole-or-none: where there
is a manifest, all its files are; same DIR: the version that latest.json names is
the export in DIR, file by file."""
import hashlib
import json
import os
import pathlib
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


def whole_or_none():
    there = keys()
    for key in there:
        if key.endswith("/manifest.json"):
            folder = key.removesuffix("manifest.json")
            missing = [f["name"] for f in json.loads(get(key))["files"] if folder + f["name"] not in there]
            if missing:
                sys.exit(f"{key} is there, {missing} are not")
    print(f"{len(there)} objects after the kill")


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
elif sys.argv[1] == "whole-or-none":
    whole_or_none()
else:
    same(sys.argv[2])
