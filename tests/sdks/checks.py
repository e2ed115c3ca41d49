"""Official SDKs as oracles of our server faces: what they parse out of our answers is what was meant.

usage: checks.py BASE_URL [MODEL [KEY]]      (of `sabir sim --script script.json`, or of `sabir serve` in front of it)
"""
import json

from harness import (
    AFTER, BASE, CALL, DATA_URL, EMBEDDER, FACTS, FUNCTIONS, KEY, MODEL, NONE, PIXELS, SCHEMA, TEXT, check, conclude, is_facts, raises, same, saw_pixel, user,
)

# OpenAI -------------------------------------------------------------------------------------------------------------
import openai  # noqa: E402

OPENAI = openai.OpenAI(base_url=f"{BASE}/v1", api_key=KEY, max_retries=0)


@check
def openai_chat():
    answer = OPENAI.chat.completions.create(model=MODEL, messages=user("hi"))
    same(answer.choices[0].message.content, TEXT)
    same(answer.choices[0].finish_reason, "stop")
    assert answer.usage.total_tokens > 0


@check
def openai_chat_stream():
    chunks = list(OPENAI.chat.completions.create(model=MODEL, messages=user("hi"), stream=True, stream_options={"include_usage": True}))
    same("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), TEXT)
    assert chunks[-1].usage.total_tokens > 0


@check
def openai_chat_tools_over_turns():
    messages = user("the weather?")
    answer = OPENAI.chat.completions.create(model=MODEL, messages=messages, tools=FUNCTIONS)
    call = answer.choices[0].message.tool_calls[0]
    same((call.function.name, json.loads(call.function.arguments)), ("weather", CALL))
    same(answer.choices[0].finish_reason, "tool_calls")
    messages += [answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "24 degrees"}]
    same(OPENAI.chat.completions.create(model=MODEL, messages=messages, tools=FUNCTIONS).choices[0].message.content, AFTER)


@check
def openai_chat_tools_stream():
    with OPENAI.chat.completions.stream(model=MODEL, messages=user("both"), tools=FUNCTIONS) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_completion().choices[0]
    calls = [(c.function.name, json.loads(c.function.arguments)) for c in answer.message.tool_calls]
    same(calls, [("weather", {"city": "Oslo"}), ("time", {})])


@check
def openai_errors():
    raises(openai.RateLimitError, lambda: OPENAI.chat.completions.create(model=MODEL, messages=user("too fast")))
    raises(openai.BadRequestError, lambda: OPENAI.chat.completions.create(model=MODEL, messages=user("x"), max_tokens="many"))


@check
def openai_responses():
    answer = OPENAI.responses.create(model=MODEL, input="hi")
    same((answer.output_text, answer.status), (TEXT, "completed"))
    tools = [{"type": "function", "strict": False, **t["function"]} for t in FUNCTIONS]
    items = user("the weather?")
    answer = OPENAI.responses.create(model=MODEL, input=items, tools=tools)
    call = next(i for i in answer.output if i.type == "function_call")
    same((call.name, json.loads(call.arguments)), ("weather", CALL))
    items += [*answer.output, {"type": "function_call_output", "call_id": call.call_id, "output": "24 degrees"}]
    same(OPENAI.responses.create(model=MODEL, input=items, tools=tools).output_text, AFTER)


@check
def openai_responses_stream():
    with OPENAI.responses.stream(model=MODEL, input="think", reasoning={"summary": "auto"}) as stream:
        deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
        answer = stream.get_final_response()
    same("".join(deltas), "Forty-two.")
    same(answer.output_text, "Forty-two.")
    same([i.type for i in answer.output], ["reasoning", "message"])


@check
def openai_completions():
    same(OPENAI.completions.create(model=MODEL, prompt="hi").choices[0].text, TEXT)
    same("".join(c.choices[0].text for c in OPENAI.completions.create(model=MODEL, prompt="hi", stream=True) if c.choices), TEXT)


# Anthropic ----------------------------------------------------------------------------------------------------------
import anthropic  # noqa: E402

ANTHROPIC = anthropic.Anthropic(base_url=BASE, api_key=KEY, max_retries=0)
CLAUDE_TOOLS = [{"name": "weather", "input_schema": SCHEMA}, {"name": "time", "input_schema": NONE}]


@check
def anthropic_messages():
    answer = ANTHROPIC.messages.create(model=MODEL, max_tokens=100, messages=user("hi"))
    same((answer.content[0].text, answer.stop_reason), (TEXT, "end_turn"))
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0
    same(ANTHROPIC.messages.count_tokens(model=MODEL, messages=user("hi")).input_tokens > 0, True)


@check
def anthropic_stream():
    with ANTHROPIC.messages.stream(model=MODEL, max_tokens=2000, messages=user("think")) as stream:
        same("".join(stream.text_stream), "Forty-two.")
        answer = stream.get_final_message()
    same([b.type for b in answer.content], ["thinking", "text"])
    same(answer.content[0].thinking, "First the one, then the other.")


@check
def anthropic_tools_over_turns():
    messages = user("the weather?")
    answer = ANTHROPIC.messages.create(model=MODEL, max_tokens=100, messages=messages, tools=CLAUDE_TOOLS)
    call = next(b for b in answer.content if b.type == "tool_use")
    same((call.name, call.input, answer.stop_reason), ("weather", CALL, "tool_use"))
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "24 degrees"}
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    with ANTHROPIC.messages.stream(model=MODEL, max_tokens=100, messages=messages, tools=CLAUDE_TOOLS) as stream:
        same(stream.get_final_text(), AFTER)


@check
def anthropic_tools_stream():
    with ANTHROPIC.messages.stream(model=MODEL, max_tokens=100, messages=user("both"), tools=CLAUDE_TOOLS) as stream:
        answer = stream.get_final_message()
    calls = [(b.name, b.input) for b in answer.content if b.type == "tool_use"]
    same(calls, [("weather", {"city": "Oslo"}), ("time", {})])


@check
def anthropic_errors():
    def too_fast():
        ANTHROPIC.messages.create(model=MODEL, max_tokens=9, messages=user("too fast"))

    raises(anthropic.RateLimitError, too_fast)


# Gemini -------------------------------------------------------------------------------------------------------------
from google import genai  # noqa: E402
from google.genai import errors, types  # noqa: E402

GEMINI = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=BASE))
DECLARED = types.GenerateContentConfig(
    tools=[types.Tool(function_declarations=[
        types.FunctionDeclaration(name="weather", description="The weather", parameters_json_schema=SCHEMA),
        types.FunctionDeclaration(name="time", description="The time"),
    ])],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


@check
def gemini():
    answer = GEMINI.models.generate_content(model=MODEL, contents="hi")
    same((answer.text, answer.candidates[0].finish_reason), (TEXT, types.FinishReason.STOP))
    assert answer.usage_metadata.total_token_count > 0
    same("".join(c.text or "" for c in GEMINI.models.generate_content_stream(model=MODEL, contents="hi")), TEXT)
    assert GEMINI.models.count_tokens(model=MODEL, contents="hi").total_tokens > 0


@check
def gemini_tools_over_turns():
    first = types.Content(role="user", parts=[types.Part(text="the weather?")])
    answer = GEMINI.models.generate_content(model=MODEL, contents=[first], config=DECLARED)
    call = answer.function_calls[0]
    same((call.name, call.args), ("weather", CALL))
    result = types.Part.from_function_response(name=call.name, response={"result": "24 degrees"})
    turns = [first, answer.candidates[0].content, types.Content(role="user", parts=[result])]
    same(GEMINI.models.generate_content(model=MODEL, contents=turns, config=DECLARED).text, AFTER)


@check
def gemini_tools_stream():
    chunks = list(GEMINI.models.generate_content_stream(model=MODEL, contents="both", config=DECLARED))
    calls = [(c.name, c.args or {}) for chunk in chunks for c in chunk.function_calls or []]
    same(calls, [("weather", {"city": "Oslo"}), ("time", {})])


@check
def gemini_thoughts_and_errors():
    parts = GEMINI.models.generate_content(model=MODEL, contents="think").candidates[0].content.parts
    same([(p.text, bool(p.thought)) for p in parts], [("First the one, then the other.", True), ("Forty-two.", False)])
    raises(errors.ClientError, lambda: GEMINI.models.generate_content(model=MODEL, contents="too fast"))


# Cohere -------------------------------------------------------------------------------------------------------------
import cohere  # noqa: E402
from cohere.errors import TooManyRequestsError  # noqa: E402

COHERE = cohere.ClientV2(api_key=KEY, base_url=BASE)
COHERE_V1 = cohere.Client(api_key=KEY, base_url=BASE)


@check
def cohere_v2():
    answer = COHERE.chat(model=MODEL, messages=user("hi"))
    same((answer.message.content[0].text, answer.finish_reason), (TEXT, "COMPLETE"))
    events = list(COHERE.chat_stream(model=MODEL, messages=user("hi")))
    same("".join(e.delta.message.content.text for e in events if e.type == "content-delta"), TEXT)
    same(events[-1].type, "message-end")


@check
def cohere_v2_tools_over_turns():
    messages = user("the weather?")
    answer = COHERE.chat(model=MODEL, messages=messages, tools=FUNCTIONS)
    call = answer.message.tool_calls[0]
    same((call.function.name, json.loads(call.function.arguments)), ("weather", CALL))
    messages += [answer.message, {"role": "tool", "tool_call_id": call.id, "content": "24 degrees"}]
    same(COHERE.chat(model=MODEL, messages=messages, tools=FUNCTIONS).message.content[0].text, AFTER)


@check
def cohere_v2_tools_stream():
    events = list(COHERE.chat_stream(model=MODEL, messages=user("both"), tools=FUNCTIONS))
    starts = [e.delta.message.tool_calls.function.name for e in events if e.type == "tool-call-start"]
    same(starts, ["weather", "time"])


@check
def cohere_v1():
    answer = COHERE_V1.chat(model=MODEL, message="hi")
    same((answer.text, answer.finish_reason), (TEXT, "COMPLETE"))
    events = list(COHERE_V1.chat_stream(model=MODEL, message="hi"))
    same("".join(e.text for e in events if e.event_type == "text-generation"), TEXT)
    raises(TooManyRequestsError, lambda: COHERE_V1.chat(model=MODEL, message="too fast", request_options={"max_retries": 0}))


# Ollama -------------------------------------------------------------------------------------------------------------
import ollama  # noqa: E402

OLLAMA = ollama.Client(host=BASE)


@check
def ollama_chat():
    answer = OLLAMA.chat(model=MODEL, messages=user("hi"))
    same((answer.message.content, answer.done_reason), (TEXT, "stop"))
    same("".join(c.message.content for c in OLLAMA.chat(model=MODEL, messages=user("hi"), stream=True)), TEXT)
    same(OLLAMA.generate(model=MODEL, prompt="hi").response, TEXT)
    raises(ollama.ResponseError, lambda: OLLAMA.chat(model=MODEL, messages=user("too fast")))


@check
def ollama_tools_over_turns():
    messages = user("the weather?")
    answer = OLLAMA.chat(model=MODEL, messages=messages, tools=FUNCTIONS)
    call = answer.message.tool_calls[0]
    same((call.function.name, dict(call.function.arguments)), ("weather", CALL))
    messages += [answer.message, {"role": "tool", "tool_name": "weather", "content": "24 degrees"}]
    same(OLLAMA.chat(model=MODEL, messages=messages, tools=FUNCTIONS).message.content, AFTER)
    chunks = OLLAMA.chat(model=MODEL, messages=user("both"), tools=FUNCTIONS, stream=True)
    same([c.function.name for chunk in chunks for c in chunk.message.tool_calls or []], ["weather", "time"])


# Hugging Face and Bedrock -------------------------------------------------------------------------------------------
import boto3  # noqa: E402
from huggingface_hub import InferenceClient  # noqa: E402

HUGGING_FACE = InferenceClient(BASE, token="any")
BEDROCK = boto3.client("bedrock-runtime", endpoint_url=BASE, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
SPECS = {"tools": [
    {"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}},
    {"toolSpec": {"name": "time", "inputSchema": {"json": NONE}}},
]}


@check
def hugging_face():
    same(HUGGING_FACE.text_generation("hi"), TEXT)
    same(HUGGING_FACE.text_generation("hi", details=True).details.finish_reason, "eos_token")
    same("".join(HUGGING_FACE.text_generation("hi", stream=True)), TEXT)


@check
def bedrock():
    asked = [{"role": "user", "content": [{"text": "hi"}]}]
    answer = BEDROCK.converse(modelId=MODEL, messages=asked)
    same((answer["output"]["message"]["content"][0]["text"], answer["stopReason"]), (TEXT, "end_turn"))
    events = list(BEDROCK.converse_stream(modelId=MODEL, messages=asked)["stream"])
    same("".join(e["contentBlockDelta"]["delta"].get("text", "") for e in events if "contentBlockDelta" in e), TEXT)
    raises(BEDROCK.exceptions.ThrottlingException, lambda: BEDROCK.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "too fast"}]}]))


@check
def bedrock_tools_over_turns():
    messages = [{"role": "user", "content": [{"text": "the weather?"}]}]
    answer = BEDROCK.converse(modelId=MODEL, messages=messages, toolConfig=SPECS)
    said = answer["output"]["message"]
    call = next(b["toolUse"] for b in said["content"] if "toolUse" in b)
    same((call["name"], call["input"], answer["stopReason"]), ("weather", CALL, "tool_use"))
    result = {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "24 degrees"}]}}
    messages += [said, {"role": "user", "content": [result]}]
    answer = BEDROCK.converse(modelId=MODEL, messages=messages, toolConfig=SPECS)
    same(answer["output"]["message"]["content"][0]["text"], AFTER)


conclude()
