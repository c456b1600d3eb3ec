"""Gemini: the classes of google-genai. CreateCachedContentConfig has the three
keys of a line, and refuses others; the contents are checked one by one, since
it takes other forms of them too."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
from google.genai import types
from pydantic import TypeAdapter

CONTENTS = TypeAdapter(list[types.Content])
TOOLS = TypeAdapter(list[types.Tool])


def check(target, row):
    types.CreateCachedContentConfig.model_validate(row)
    CONTENTS.validate_python(row["contents"])
    if "systemInstruction" in row:
        types.Content.model_validate(row["systemInstruction"])
    if "tools" in row:
        TOOLS.validate_python(row["tools"])


judge.serve("Content and Tool", judge.version("google-genai"), check)
