"""Bedrock's converse form: the shapes of the service model in botocore.
schemaVersion is a key of training files alone and is left out."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import botocore.session
import judge
from botocore.validate import ParamValidator

SHAPE = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape


def check(target, row):
    request = {k: v for k, v in row.items() if k != "schemaVersion"}
    report = ParamValidator().validate({"modelId": "m", **request}, SHAPE)
    if report.has_errors():
        raise judge.Refused(report.generate_report())


judge.serve("Converse shapes", judge.version("botocore"), check)
