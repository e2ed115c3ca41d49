"""Official SDKs as oracles of our server faces: what they parse out of our answers is what was meant.

usage: checks.py BASE_URL [MODEL [KEY]]      (of `sabir sim --script script.json`, or of `sabir serve` in front of it)
"""
import json

from harness import (
    AFTER, BASE, CALL, DATA_URL, EMBEDDER, FACTS, FUNCTIONS, KEY, MODEL, NONE, PIXEL, PIXELS, SCHEMA, TEXT, check, conclude, is_facts, raises, same, saw_pixel, user,
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
def openai_structured_output():
    form = {"type": "json_schema", "json_schema": {"name": "facts", "strict": True, "schema": FACTS}}
    answer = OPENAI.chat.completions.create(model=MODEL, messages=user("built in"), response_format=form)
    is_facts(json.loads(answer.choices[0].message.content))
    form = {"format": {"type": "json_schema", "name": "facts", "strict": True, "schema": FACTS}}
    is_facts(json.loads(OPENAI.responses.create(model=MODEL, input="built in", text=form).output_text))


@check
def openai_image():
    parts = [{"type": "text", "text": "built in"}, {"type": "image_url", "image_url": {"url": DATA_URL}}]
    saw_pixel(OPENAI.chat.completions.create(model=MODEL, messages=user(parts)).choices[0].message.content)
    parts = [{"type": "input_text", "text": "built in"}, {"type": "input_image", "image_url": DATA_URL}]
    saw_pixel(OPENAI.responses.create(model=MODEL, input=user(parts)).output_text)


@check
def openai_embeddings():
    data = OPENAI.embeddings.create(model=EMBEDDER, input=["a ship", "a sea"]).data
    same((len(data), len(data[0].embedding) > 0), (2, True))


@check
def openai_retries():
    answer = OPENAI.with_options(max_retries=1).chat.completions.create(model=MODEL, messages=user("stumble openai-py"))
    same(answer.choices[0].message.content, TEXT)


@check
def openai_errors():
    def fail(said, **more):
        return lambda: OPENAI.with_options(**more).chat.completions.create(model=MODEL, messages=user(said))

    raises(openai.BadRequestError, fail("status 400"))
    raises(openai.AuthenticationError, fail("status 401"))
    raises(openai.PermissionDeniedError, fail("status 403"))
    raises(openai.NotFoundError, fail("status 404"))
    raises(openai.RateLimitError, fail("too fast"))
    raises(openai.InternalServerError, fail("status 500"))
    if KEY != "any":
        raises(openai.AuthenticationError, fail("hi", api_key="sk-other"))
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
def anthropic_structured_output():
    form = {"format": {"type": "json_schema", "schema": FACTS}}
    answer = ANTHROPIC.messages.create(model=MODEL, max_tokens=200, messages=user("built in"), output_config=form)
    is_facts(json.loads(answer.content[0].text))


@check
def anthropic_image():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    parts = [{"type": "text", "text": "built in"}, image]
    saw_pixel(ANTHROPIC.messages.create(model=MODEL, max_tokens=200, messages=user(parts)).content[0].text)


@check
def anthropic_errors_and_retries():
    def fail(said, **more):
        return lambda: ANTHROPIC.with_options(**more).messages.create(model=MODEL, max_tokens=9, messages=user(said))

    raises(anthropic.BadRequestError, fail("status 400"))
    raises(anthropic.AuthenticationError, fail("status 401"))
    raises(anthropic.PermissionDeniedError, fail("status 403"))
    raises(anthropic.NotFoundError, fail("status 404"))
    raises(anthropic.RateLimitError, fail("too fast"))
    raises(anthropic.InternalServerError, fail("status 500"))
    if KEY != "any":
        raises(anthropic.AuthenticationError, fail("hi", api_key="sk-other"))
    same(fail("stumble anthropic-py", max_retries=1)().content[0].text, TEXT)


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


@check
def gemini_structured_output():
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=FACTS)
    is_facts(json.loads(GEMINI.models.generate_content(model=MODEL, contents="built in", config=config).text))


@check
def gemini_image_and_embeddings():
    image = types.Part.from_bytes(data=PIXELS, mime_type="image/png")
    saw_pixel(GEMINI.models.generate_content(model=MODEL, contents=["built in", image]).text)
    vectors = GEMINI.models.embed_content(model=EMBEDDER, contents=["a ship", "a sea"]).embeddings
    same((len(vectors), len(vectors[0].values) > 0), (2, True))


@check
def gemini_errors_and_retries():
    for status, kind in {400: errors.ClientError, 401: errors.ClientError, 403: errors.ClientError, 404: errors.ClientError, 500: errors.ServerError}.items():
        raises(kind, lambda: GEMINI.models.generate_content(model=MODEL, contents=f"status {status}"), status)  # noqa: B023
    options = types.HttpOptions(base_url=BASE, retry_options=types.HttpRetryOptions(attempts=2, initial_delay=0.01))
    again = genai.Client(api_key=KEY, http_options=options)
    same(again.models.generate_content(model=MODEL, contents="stumble gemini-py").text, TEXT)
    if KEY != "any":
        other = genai.Client(api_key="sk-other", http_options=types.HttpOptions(base_url=BASE))
        raises(errors.ClientError, lambda: other.models.generate_content(model=MODEL, contents="hi"), 401)


# Cohere -------------------------------------------------------------------------------------------------------------
import cohere  # noqa: E402
from cohere import errors as cohere_errors  # noqa: E402

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
    raises(cohere_errors.TooManyRequestsError, lambda: COHERE_V1.chat(model=MODEL, message="too fast", request_options={"max_retries": 0}))


@check
def cohere_v2_more():
    form = {"type": "json_object", "json_schema": FACTS}
    is_facts(json.loads(COHERE.chat(model=MODEL, messages=user("built in"), response_format=form).message.content[0].text))
    parts = [{"type": "text", "text": "built in"}, {"type": "image_url", "image_url": {"url": DATA_URL}}]
    saw_pixel(COHERE.chat(model=MODEL, messages=user(parts)).message.content[0].text)
    vectors = COHERE.embed(model=EMBEDDER, texts=["a ship", "a sea"], input_type="search_document", embedding_types=["float"])
    same((len(vectors.embeddings.float_), len(vectors.embeddings.float_[0]) > 0), (2, True))


@check
def cohere_errors_and_retries():
    def fail(said, client=COHERE, retries=0):
        return lambda: client.chat(model=MODEL, messages=user(said), request_options={"max_retries": retries})

    raises(cohere_errors.BadRequestError, fail("status 400"))
    raises(cohere_errors.UnauthorizedError, fail("status 401"))
    raises(cohere_errors.ForbiddenError, fail("status 403"))
    raises(cohere_errors.NotFoundError, fail("status 404"))
    raises(cohere_errors.TooManyRequestsError, fail("too fast"))
    raises(cohere_errors.InternalServerError, fail("status 500"))
    if KEY != "any":
        raises(cohere_errors.UnauthorizedError, fail("hi", cohere.ClientV2(api_key="sk-other", base_url=BASE)))
    same(fail("stumble cohere-py", retries=1)().message.content[0].text, TEXT)


# Ollama -------------------------------------------------------------------------------------------------------------
import ollama  # noqa: E402

OLLAMA = ollama.Client(host=BASE, headers={"authorization": f"Bearer {KEY}"})


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


@check
def ollama_more():
    is_facts(json.loads(OLLAMA.chat(model=MODEL, messages=user("built in"), format=FACTS).message.content))
    asked = [{"role": "user", "content": "built in", "images": [PIXELS]}]
    answer = OLLAMA.chat(model=MODEL, messages=asked).message.content
    assert "an image" in answer, answer
    vectors = OLLAMA.embed(model=EMBEDDER, input=["a ship", "a sea"]).embeddings
    same((len(vectors), len(vectors[0]) > 0), (2, True))


@check
def ollama_errors():
    for status in (400, 401, 403, 404, 500):
        raises(ollama.ResponseError, lambda: OLLAMA.chat(model=MODEL, messages=user(f"status {status}")), status)  # noqa: B023
    raises(ollama.ResponseError, lambda: list(OLLAMA.chat(model=MODEL, messages=user("too fast"), stream=True)), 429)
    if KEY != "any":
        raises(ollama.ResponseError, lambda: ollama.Client(host=BASE).chat(model=MODEL, messages=user("hi")), 401)


# Hugging Face -------------------------------------------------------------------------------------------------------
from huggingface_hub import InferenceClient  # noqa: E402
from huggingface_hub.errors import HfHubHTTPError  # noqa: E402

HUGGING_FACE = InferenceClient(BASE, token=KEY)


@check
def hugging_face():
    same(HUGGING_FACE.text_generation("hi"), TEXT)
    same(HUGGING_FACE.text_generation("hi", details=True).details.finish_reason, "eos_token")
    same("".join(HUGGING_FACE.text_generation("hi", stream=True)), TEXT)


@check
def hugging_face_chat():
    def ask(messages, **more):
        return HUGGING_FACE.chat_completion(messages, model=MODEL, **more)

    same(ask(user("hi")).choices[0].message.content, TEXT)
    same("".join(c.choices[0].delta.content or "" for c in ask(user("hi"), stream=True) if c.choices), TEXT)
    messages = user("the weather?")
    answer = ask(messages, tools=FUNCTIONS).choices[0].message
    call = answer.tool_calls[0]
    same((call.function.name, json.loads(call.function.arguments)), ("weather", CALL))
    said = [{"id": call.id, "type": "function", "function": {"name": "weather", "arguments": call.function.arguments}}]
    messages += [{"role": "assistant", "tool_calls": said}, {"role": "tool", "tool_call_id": call.id, "content": "24 degrees"}]
    same(ask(messages, tools=FUNCTIONS).choices[0].message.content, AFTER)
    form = {"type": "json_schema", "json_schema": {"name": "facts", "schema": FACTS, "strict": True}}
    is_facts(json.loads(ask(user("built in"), response_format=form).choices[0].message.content))
    parts = [{"type": "text", "text": "built in"}, {"type": "image_url", "image_url": {"url": DATA_URL}}]
    saw_pixel(ask(user(parts)).choices[0].message.content)


@check
def hugging_face_errors():
    for said, status in {"status 400": 400, "status 401": 401, "status 403": 403, "status 404": 404, "too fast": 429, "status 500": 500}.items():
        try:
            HUGGING_FACE.chat_completion(user(said), model=MODEL)
        except HfHubHTTPError as error:
            same(error.response.status_code, status)
        else:
            raise AssertionError(f"no error for {said}")


# Bedrock ------------------------------------------------------------------------------------------------------------
import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402


def bedrock_client(key=KEY, attempts=1):
    """Signs its requests (SigV4) with a pair of keys of AWS, and shows one of the gateway in a header of its own: as a
    bearer token (AWS_BEARER_TOKEN_BEDROCK) boto3 sends it over HTTPS alone."""
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    about = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    client = boto3.client("bedrock-runtime", endpoint_url=BASE, config=config, **about)
    if key:
        client.meta.events.register("before-call.bedrock-runtime", lambda params, **_: params["headers"].update({"x-api-key": key}))
    return client


BEDROCK = bedrock_client()
SPECS = {"tools": [
    {"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}},
    {"toolSpec": {"name": "time", "inputSchema": {"json": NONE}}},
]}


def says(text):
    return [{"role": "user", "content": [{"text": text}]}]


def converse(text, client=None, **more):
    return (client or BEDROCK).converse(modelId=MODEL, messages=says(text), **more)["output"]["message"]["content"][0]["text"]


@check
def bedrock():
    answer = BEDROCK.converse(modelId=MODEL, messages=says("hi"))
    same((answer["output"]["message"]["content"][0]["text"], answer["stopReason"]), (TEXT, "end_turn"))
    assert answer["usage"]["inputTokens"] > 0 and answer["usage"]["outputTokens"] > 0
    events = list(BEDROCK.converse_stream(modelId=MODEL, messages=says("hi"))["stream"])
    same("".join(e["contentBlockDelta"]["delta"].get("text", "") for e in events if "contentBlockDelta" in e), TEXT)


@check
def bedrock_tools_over_turns():
    messages = says("the weather?")
    answer = BEDROCK.converse(modelId=MODEL, messages=messages, toolConfig=SPECS)
    said = answer["output"]["message"]
    call = next(b["toolUse"] for b in said["content"] if "toolUse" in b)
    same((call["name"], call["input"], answer["stopReason"]), ("weather", CALL, "tool_use"))
    result = {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "24 degrees"}]}}
    messages += [said, {"role": "user", "content": [result]}]
    answer = BEDROCK.converse(modelId=MODEL, messages=messages, toolConfig=SPECS)
    same(answer["output"]["message"]["content"][0]["text"], AFTER)
    events = list(BEDROCK.converse_stream(modelId=MODEL, messages=says("both"), toolConfig=SPECS)["stream"])
    starts = [e["contentBlockStart"]["start"]["toolUse"]["name"] for e in events if "contentBlockStart" in e]
    same(starts, ["weather", "time"])


@check
def bedrock_structured_output_and_image():
    structure = {"jsonSchema": {"name": "facts", "schema": json.dumps(FACTS)}}
    form = {"textFormat": {"type": "json_schema", "structure": structure}}
    is_facts(json.loads(converse("built in", outputConfig=form)))
    content = [{"text": "built in"}, {"image": {"format": "png", "source": {"bytes": PIXELS}}}]
    answer = BEDROCK.converse(modelId=MODEL, messages=[{"role": "user", "content": content}])
    saw_pixel(answer["output"]["message"]["content"][0]["text"])


def is_unknown(ask):
    """What AWS says of a key is no exception of this service's own."""
    try:
        ask()
    except ClientError as error:
        same(error.response["Error"]["Code"], "UnrecognizedClientException")
    else:
        raise AssertionError("no error")


@check
def bedrock_errors_and_retries():
    raised = BEDROCK.exceptions
    raises(raised.ValidationException, lambda: converse("status 400"))
    raises(raised.AccessDeniedException, lambda: converse("status 403"))
    raises(raised.ResourceNotFoundException, lambda: converse("status 404"))
    raises(raised.ThrottlingException, lambda: converse("too fast"))
    raises(raised.InternalServerException, lambda: converse("status 500"))
    is_unknown(lambda: converse("status 401"))
    if KEY != "any":
        is_unknown(lambda: converse("hi", bedrock_client("sk-other")))
        is_unknown(lambda: converse("hi", bedrock_client(None)))
    same(converse("stumble bedrock-py", bedrock_client(attempts=2)), TEXT)


conclude()
