"""Sends GenAI spans to a running weir with OpenTelemetry's Python SDK.

usage: python .ci/check_otlp.py ENDPOINT CONVERSATIONS

Each conversation is an agent's run of two calls with a tool between them: two
calls and one judgement, five spans. Half of it goes out with gzip. Exits 1 if
the SDK could not deliver something.
"""

import json
import sys

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult


class Counted(SpanExporter):
    """Passes on to an exporter and counts what it delivered."""

    def __init__(self, exporter):
        self.exporter, self.delivered, self.failed = exporter, 0, 0

    def export(self, spans):
        result = self.exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.delivered += len(spans)
        else:
            self.failed += len(spans)
        return result

    def shutdown(self):
        self.exporter.shutdown()


def text(role, words):
    return {"role": role, "parts": [{"type": "text", "content": words}]}


def call(tracer, conversation, number, messages, answer, finish):
    with tracer.start_as_current_span("chat gpt-demo") as span:
        span.set_attributes({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-demo",
            "gen_ai.conversation.id": conversation, "gen_ai.response.id": f"chatcmpl-{conversation}-{number}",
            "gen_ai.input.messages": json.dumps(messages), "gen_ai.output.messages": json.dumps([answer]),
            "gen_ai.usage.input_tokens": 20 + number, "gen_ai.usage.output_tokens": 5, "gen_ai.response.finish_reasons": [finish],
            "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "tide", "parameters": {"type": "object"}}]),
        })
        if finish == "stop":
            span.add_event("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "correctness", "gen_ai.evaluation.score.value": 1.0})


def converse(tracer, conversation):
    with tracer.start_as_current_span("invoke_agent tides") as agent:
        agent.set_attribute("gen_ai.operation.name", "invoke_agent")
        asked = [text("user", f"When is high tide in {conversation}?")]
        wants = {"role": "assistant", "parts": [{"type": "tool_call", "id": f"c-{conversation}", "name": "tide", "arguments": {"place": conversation}}]}
        call(tracer, conversation, 1, asked, wants, "tool_call")
        with tracer.start_as_current_span("execute_tool tide") as tool:
            tool.set_attribute("gen_ai.operation.name", "execute_tool")
        with tracer.start_as_current_span("GET /tides") as http:
            http.set_attribute("http.request.method", "GET")
        told = {"role": "tool", "parts": [{"type": "tool_call_response", "id": f"c-{conversation}", "response": {"high": "12:40"}}]}
        call(tracer, conversation, 2, asked + [wants, told], text("assistant", f"At 12:40 in {conversation}."), "stop")


def main(endpoint, conversations):
    delivered = failed = 0
    for half, compression in enumerate([Compression.NoCompression, Compression.Gzip]):
        exporter = Counted(OTLPSpanExporter(endpoint=endpoint + "/v1/traces", compression=compression))
        provider = TracerProvider(resource=Resource.create({"service.name": "check-otlp"}))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        for i in range(half, conversations, 2):
            converse(provider.get_tracer("check"), f"harbour-{i:06d}")
        provider.shutdown()
        delivered, failed = delivered + exporter.delivered, failed + exporter.failed
    print(f"{delivered} spans delivered, {failed} failed")
    return 0 if failed == 0 and delivered == 5 * conversations else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
