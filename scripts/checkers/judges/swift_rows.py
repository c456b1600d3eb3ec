"""ms-swift: its preprocessor of messages, its inputs, and an agent template's
reading of calls."""

import logging
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
from standin import stand_in, without_init

# torch: for tensors; modelscope: for the folder of its cache.
stand_in("torch", "peft", "accelerate", "modelscope")
import modelscope.utils.logger

logging.getLogger("modelscope").addHandler(logging.NullHandler())
modelscope.utils.logger.get_logger = lambda *a, **k: logging.getLogger("modelscope")
template = without_init("swift.template")  # its __init__ imports the models
from swift.template import utils

vars(template).update(vars(utils), MaxLengthError=ValueError)
without_init("swift.dataset")
without_init("swift.agent_template")
from swift.agent_template.hermes import HermesAgentTemplate
from swift.dataset.preprocessor.core import MessagesPreprocessor
from swift.template.template_inputs import TemplateInputs

PREPROCESSOR = MessagesPreprocessor()
AGENT = HermesAgentTemplate()


def check(target, row):
    batch = PREPROCESSOR.batched_preprocess({k: [v] for k, v in row.items()}, strict=True, ignore_max_length_error=False)
    if not batch["messages"]:
        raise judge.Refused("the row is dropped")
    both = TemplateInputs.from_dict({k: v[0] for k, v in batch.items()})
    for inputs in filter(None, [both.chosen, both.rejected]):
        AGENT._format_tool_calls([m for m in inputs.messages if m["role"] == "tool_call"])
        if inputs.tools:
            AGENT._format_tools(inputs.tools, inputs.system or "", inputs.messages[0])


judge.serve("messages preprocessor", judge.version("ms-swift"), check)
