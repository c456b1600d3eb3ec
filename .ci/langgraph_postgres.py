"""Runs small graphs on LangGraph's own Postgres checkpointer, and prints what weir must find.

    langgraph_postgres.py URL

Prints, as `name count` lines: checkpoints and messages (by thread and id, over all checkpoints, as LangGraph itself
reads them back), interrupted checkpoints, and the text of all messages' contents as one md5.
"""

import hashlib
import sys
from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt

THREADS = 60
TURNS = 5


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    summary: str
    berths: dict
    chart: bytes


def speak(state):
    last = state["messages"][-1]
    n = len(state["messages"])
    call = {"name": "berth", "args": {"n": n}, "id": f"call_{n}"}
    reply = AIMessage(
        content=f"Looking after {last.content}", id=f"{last.id}-ai", tool_calls=[call], response_metadata={"model_name": "atlas-2"},
        usage_metadata={"input_tokens": 9, "output_tokens": 4, "total_tokens": 13},
    )
    result = ToolMessage(content="free", tool_call_id=call["id"], id=f"{last.id}-tool", name="berth")
    return {"messages": [reply, result], "berths": {"n": n, "free": True}, "chart": bytes([0, 255, n % 256])}


def condense(state):
    if len(state["messages"]) < 8:
        return {}
    return {"summary": f"{len(state['messages'])} messages", "messages": [RemoveMessage(id=m.id) for m in state["messages"][:-2]]}


def ask(state):
    if state["messages"][0].content.startswith("stop"):
        interrupt("May I?")
    return {}


def graph(saver):
    inner = StateGraph(State)
    inner.add_node("ask", ask)
    inner.add_edge(START, "ask")
    inner.add_edge("ask", END)
    g = StateGraph(State)
    g.add_node("speak", speak)
    g.add_node("condense", condense)
    g.add_node("approve", inner.compile())
    g.add_edge(START, "speak")
    g.add_edge("speak", "condense")
    g.add_edge("condense", "approve")
    g.add_edge("approve", END)
    return g.compile(checkpointer=saver)


def main(url):
    with PostgresSaver.from_conn_string(url) as saver:
        saver.setup()
        app = graph(saver)
        for t in range(THREADS):
            config = {"configurable": {"thread_id": f"thread-{t:03d}"}}
            stops = t % 10 == 9
            for turn in range(1 if stops else TURNS):
                text = f"{'stop' if stops else 'boat'} {t} turn {turn}"
                app.invoke({"messages": [HumanMessage(content=text, id=f"m{t}-{turn}")]}, config)
        checkpoints, interrupted, messages = 0, 0, {}
        for saved in saver.list(None):
            checkpoints += 1
            interrupted += any(channel == "__interrupt__" for _, channel, _ in saved.pending_writes)
            for m in saved.checkpoint["channel_values"].get("messages", []):
                messages[saved.config["configurable"]["thread_id"], m.id] = m.content
    print("checkpoints", checkpoints)
    print("interrupted", interrupted)
    print("messages", len(messages))
    print("contents", hashlib.md5("\n".join(sorted(messages.values())).encode()).hexdigest())


main(sys.argv[1])
