"""How near a reply is to the reference of its item, from 0 to 1.

Calls count by name and arguments, in order; a text that the request wanted as
JSON by its fields, another one by its words. A reply that has both is worth the
mean of the two.
"""
import difflib
import json


def parsed(text):
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def near_json(given, wanted):
    if not isinstance(given, dict) or not isinstance(wanted, dict):
        return 1.0 if given == wanted else 0.0
    keys = set(given) | set(wanted)
    equal = sum(key in given and key in wanted and given[key] == wanted[key] for key in keys)
    return equal / len(keys) if keys else 1.0


def near_text(given, wanted):
    return difflib.SequenceMatcher(None, given.split(), wanted.split(), autojunk=False).ratio()


def near_call(given, wanted):
    given, wanted = given.get("function") or {}, wanted.get("function") or {}
    if given.get("name") != wanted.get("name"):
        return 0.0
    return 0.5 + 0.5 * near_json(parsed(given.get("arguments") or "{}"), parsed(wanted.get("arguments") or "{}"))


def near_calls(given, wanted):
    return sum(map(near_call, given, wanted)) / max(len(given), len(wanted))


def grade(sample, item):
    text, answer = sample.get("output_text") or "", item.get("reference_answer") or ""
    calls, wanted = sample.get("output_tools") or [], item.get("reference_tools") or []
    form = (item.get("response_format") or {}).get("type")
    scores = []
    if calls or wanted:
        scores.append(near_calls(calls, wanted))
    if form in ("json_object", "json_schema") and parsed(answer) is not None:
        scores.append(near_json(parsed(text), parsed(answer)))
    elif answer or (text and not wanted):
        scores.append(near_text(text, answer))
    return sum(scores) / len(scores) if scores else 0.0
