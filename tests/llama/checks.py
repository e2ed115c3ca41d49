"""What a real model says through the gateway is what it says: the same to clients of three dialects.

usage: checks.py MODEL_SERVER GATEWAY MODEL
"""
import json
import sys

import requests

LLAMA, GATEWAY, MODEL = sys.argv[1:]
SCHEMA = {"type": "object", "properties": {"sunny": {"type": "boolean"}, "unit": {"type": "string", "enum": ["C", "F"]}}, "required": ["sunny", "unit"], "additionalProperties": False}
ASKED = [{"role": "user", "content": "hi"}]
WORDS = 20
done = 0


def post(path, base=GATEWAY, **body):
    answer = requests.post(base + path, json=body, timeout=60)
    assert answer.ok, (path, answer.status_code, answer.text)
    answer.encoding = "utf-8"
    return answer


def events(answer):
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]


def same(what, got, wanted):
    global done
    assert got == wanted, f"{what}: {got!r} is not {wanted!r}"
    done += 1
    print(f"ok      {what}")


direct = post("/v1/chat/completions", LLAMA, model="nonsense", messages=ASKED, max_tokens=WORDS, temperature=0).json()
TEXT, USED = direct["choices"][0]["message"]["content"], direct["usage"]["completion_tokens"]
STOP = TEXT[8:10]
CUT = TEXT[:TEXT.index(STOP)]
assert USED == WORDS and CUT and STOP.strip() == STOP, (TEXT, USED)


def openai(**more):
    return post("/v1/chat/completions", model=MODEL, messages=ASKED, max_tokens=WORDS, temperature=0, **more)


def anthropic(**more):
    return post("/v1/messages", model=MODEL, messages=ASKED, max_tokens=WORDS, temperature=0, **more)


def ollama(stream=False, **more):
    return post("/api/chat", model=MODEL, messages=ASKED, stream=stream, options={"num_predict": WORDS, "temperature": 0, **more})


answer = openai().json()
same("openai chat", (answer["choices"][0]["message"]["content"], answer["choices"][0]["finish_reason"]), (TEXT, "length"))
same("openai usage", answer["usage"]["completion_tokens"], USED)
chunks = events(openai(stream=True, stream_options={"include_usage": True}))
same("openai stream", "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]), TEXT)
same("openai stream usage", chunks[-1]["usage"]["completion_tokens"], USED)
answer = openai(stop=[STOP]).json()["choices"][0]
same("openai stop", (answer["message"]["content"], answer["finish_reason"]), (CUT, "stop"))

answer = anthropic().json()
same("anthropic messages", (answer["content"][0]["text"], answer["stop_reason"]), (TEXT, "max_tokens"))
same("anthropic usage", answer["usage"]["output_tokens"], USED)
told = events(anthropic(stream=True))
same("anthropic stream", "".join(e["delta"].get("text", "") for e in told if e["type"] == "content_block_delta"), TEXT)
same("anthropic stream ends", [e["delta"]["stop_reason"] for e in told if e["type"] == "message_delta"], ["max_tokens"])
same("anthropic stop", anthropic(stop_sequences=[STOP]).json()["content"][0]["text"], CUT)

answer = ollama().json()
same("ollama chat", (answer["message"]["content"], answer["done_reason"], answer["eval_count"]), (TEXT, "length", USED))
lines = [json.loads(line) for line in ollama(True).text.splitlines()]
same("ollama stream", ("".join(l["message"]["content"] for l in lines), lines[-1]["eval_count"]), (TEXT, USED))
same("ollama stop", ollama(stop=[STOP]).json()["message"]["content"], CUT)

# A grammar lets even random weights say nothing but what the schema allows. Messages has none in this server.
if MODEL.startswith("openai/"):
    form = {"type": "json_schema", "json_schema": {"name": "sky", "strict": True, "schema": SCHEMA}}
    asked = {"model": MODEL, "messages": ASKED, "max_tokens": 400, "temperature": 0}
    answer = json.loads(post("/v1/chat/completions", **asked, response_format=form).json()["choices"][0]["message"]["content"])
    same("openai structured output", (sorted(answer), answer["unit"] in "CF"), (["sunny", "unit"], True))
print(f"{done} of {done} checks hold")
