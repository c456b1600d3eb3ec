"""Claude on Bedrock: the typed parameters of Anthropic's package, by pydantic.
The keys of a request that a line does not have are put in."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
from anthropic import types
from anthropic.types import message_create_params
from pydantic import TypeAdapter

judge.strict_types(types, message_create_params)
REQUEST = TypeAdapter(message_create_params.MessageCreateParamsNonStreaming)


def check(target, row):
    judge.validate(REQUEST, {"model": "m", "max_tokens": 1, **row})


judge.serve("typed parameters", judge.version("anthropic"), check)
