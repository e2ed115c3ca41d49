"""LangChain and LiteLLM, which speak by SDKs or by themselves, as oracles of our server faces.

usage: agents.py BASE_URL [MODEL [KEY]]
"""
import json
import logging
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or else it fetches prices

import anthropic  # noqa: E402
import litellm  # noqa: E402
import ollama  # noqa: E402
import openai  # noqa: E402
from langchain_anthropic import ChatAnthropic  # noqa: E402
from langchain_core.messages import HumanMessage, ToolMessage  # noqa: E402
from langchain_google_genai import ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings  # noqa: E402
from langchain_google_genai.chat_models import ChatGoogleGenerativeAIError, GoogleAPIError  # noqa: E402
from langchain_ollama import ChatOllama, OllamaEmbeddings  # noqa: E402
from langchain_openai import ChatOpenAI, OpenAIEmbeddings  # noqa: E402

from harness import (  # noqa: E402
    AFTER, BASE, CALL, CHECKS, DATA_URL, EMBEDDER, FACTS, FUNCTIONS, KEY, MODEL, TEXT, conclude, is_facts, raises, same, user,
)

litellm.suppress_debug_info = True
logging.disable(logging.WARNING)
BEARER = {"headers": {"authorization": f"Bearer {KEY}"}}
TITLED = {"title": "facts", "description": "Facts", **FACTS}


def named(name, f, *about):
    """Adds a check of one of several clients."""
    def run():
        f(*about)

    run.__name__ = name
    CHECKS.append(run)


# LangChain ----------------------------------------------------------------------------------------------------------
def chain_openai(key=KEY, retries=0, **more):
    return ChatOpenAI(model=MODEL, base_url=f"{BASE}/v1", api_key=key, max_retries=retries, **more)


def chain_responses(key=KEY, retries=0):
    return chain_openai(key, retries, use_responses_api=True)


def chain_anthropic(key=KEY, retries=0):
    return ChatAnthropic(model=MODEL, base_url=BASE, api_key=key, max_retries=retries, max_tokens=500)


def chain_google(key=KEY, retries=1):
    return ChatGoogleGenerativeAI(model=MODEL, base_url=BASE, google_api_key=key, max_retries=retries)


def chain_ollama(key=KEY, retries=0):
    return ChatOllama(model=MODEL, base_url=BASE, client_kwargs={"headers": {"authorization": f"Bearer {key}"}})


# How each is made, what it raises for 400, 401, 404, 429 and 500, and how it says that it is asked for a schema.
CHAINS = {
    "openai": (chain_openai, [openai.BadRequestError, openai.AuthenticationError, openai.NotFoundError, openai.RateLimitError, openai.InternalServerError], "json_schema"),
    "responses": (chain_responses, [openai.BadRequestError, openai.AuthenticationError, openai.NotFoundError, openai.RateLimitError, openai.InternalServerError], "json_schema"),
    "anthropic": (chain_anthropic, [anthropic.BadRequestError, anthropic.AuthenticationError, anthropic.NotFoundError, anthropic.RateLimitError, anthropic.InternalServerError], "json_schema"),
    "google": (chain_google, [*[ChatGoogleGenerativeAIError] * 4, GoogleAPIError], "json_schema"),
    "ollama": (chain_ollama, [ollama.ResponseError] * 5, "json_schema"),
}
STATUSES = ["status 400", "status 401", "status 404", "too fast", "status 500"]


def chain_talks(make, *_):
    model = make()
    answer = model.invoke("hi")
    same(answer.text, TEXT)
    assert answer.usage_metadata["input_tokens"] > 0 and answer.usage_metadata["output_tokens"] > 0
    chunks = list(model.stream("hi"))
    same("".join(chunk.text for chunk in chunks), TEXT)
    assert len(chunks) > 3, "it came in one piece"


def chain_tools(make, *_):
    model = make().bind_tools(FUNCTIONS)
    messages = [HumanMessage("the weather?")]
    answer = model.invoke(messages)
    call = answer.tool_calls[0]
    same((call["name"], call["args"]), ("weather", CALL))
    messages += [answer, ToolMessage("24 degrees", tool_call_id=call["id"])]
    same(model.invoke(messages).text, AFTER)
    whole = None
    for chunk in model.stream("both"):
        whole = chunk if whole is None else whole + chunk
    same([(c["name"], c["args"]) for c in whole.tool_calls], [("weather", {"city": "Oslo"}), ("time", {})])


def chain_structured(make, _, method):
    is_facts(make().with_structured_output(TITLED, method=method).invoke("built in"))


def chain_image(make, *_):
    parts = [{"type": "text", "text": "built in"}, {"type": "image_url", "image_url": {"url": DATA_URL}}]
    text = make().invoke([HumanMessage(parts)]).text
    assert "an image" in text, text


def chain_errors(make, kinds, _):
    for said, kind in zip(STATUSES, kinds):
        raises(kind, lambda: make().invoke(said))  # noqa: B023
    raises(kinds[3], lambda: list(make().stream("too fast")))
    if KEY != "any":
        raises(kinds[1], lambda: make("sk-other").invoke("hi"))


for name, about in CHAINS.items():
    for what in (chain_talks, chain_tools, chain_structured, chain_image, chain_errors):
        named(f"lang{what.__name__}_{name}", what, *about)


def chain_retries(make, text):
    same(make(KEY, 1).invoke(text).text, TEXT)


named("langchain_retries_openai", chain_retries, chain_openai, "stumble langchain-openai")
named("langchain_retries_anthropic", chain_retries, chain_anthropic, "stumble langchain-anthropic")


def chain_embeds(embedder):
    vectors = embedder.embed_documents(["a ship", "a sea"])
    same((len(vectors), len(vectors[0]) > 0), (2, True))


named("langchain_embeds_openai", chain_embeds, OpenAIEmbeddings(model=EMBEDDER, base_url=f"{BASE}/v1", api_key=KEY, check_embedding_ctx_length=False))
named("langchain_embeds_google", chain_embeds, GoogleGenerativeAIEmbeddings(model=EMBEDDER, base_url=BASE, google_api_key=KEY))
named("langchain_embeds_ollama", chain_embeds, OllamaEmbeddings(model=EMBEDDER, base_url=BASE, client_kwargs=BEARER))

# LiteLLM ------------------------------------------------------------------------------------------------------------
# Its provider and where that asks; the model keeps its own prefix behind that of the provider.
LITES = {
    "openai": {"custom_llm_provider": "openai", "api_base": f"{BASE}/v1"},
    "anthropic": {"custom_llm_provider": "anthropic", "api_base": BASE},
    "gemini": {"custom_llm_provider": "gemini", "api_base": f"{BASE}/v1beta/models/{MODEL}"},
    "ollama": {"custom_llm_provider": "ollama_chat", "api_base": BASE},
}


def lite(place, content, key=KEY, **more):
    messages = content if isinstance(content, list) else user(content)
    more = {"num_retries": 0, "max_retries": 0, **more}
    return litellm.completion(model=lite_name(MODEL, place), messages=messages, api_key=key, **place, **more)


def lite_name(model, place):
    """It takes its own provider's name off the front of a model's, and here that may be the gateway's word."""
    own = place["custom_llm_provider"] + "/"
    return own + model if model.startswith(own) else model


def lite_talks(place):
    answer = lite(place, "hi")
    same((answer.choices[0].message.content, answer.choices[0].finish_reason), (TEXT, "stop"))
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0
    same("".join(c.choices[0].delta.content or "" for c in lite(place, "hi", stream=True) if c.choices), TEXT)


def lite_tools(place):
    messages = user("the weather?")
    answer = lite(place, messages, tools=FUNCTIONS).choices[0]
    call = answer.message.tool_calls[0]
    same((call.function.name, json.loads(call.function.arguments), answer.finish_reason), ("weather", CALL, "tool_calls"))
    messages += [answer.message, {"role": "tool", "tool_call_id": call.id, "content": "24 degrees"}]
    same(lite(place, messages, tools=FUNCTIONS).choices[0].message.content, AFTER)
    chunks = list(lite(place, "both", tools=FUNCTIONS, stream=True))
    if place is LITES["ollama"]:  # see DEVIATIONS.txt
        told = [c for chunk in chunks for c in chunk.choices[0].delta.tool_calls or []]
    else:
        told = litellm.stream_chunk_builder(chunks).choices[0].message.tool_calls
    calls = [(c.function.name, json.loads(c.function.arguments or "{}")) for c in told]
    same(calls, [("weather", {"city": "Oslo"}), ("time", {})])


def lite_structured(place):
    form = {"type": "json_schema", "json_schema": {"name": "facts", "strict": True, "schema": FACTS}}
    is_facts(json.loads(lite(place, "built in", response_format=form).choices[0].message.content))


def lite_image(place):
    parts = [{"type": "text", "text": "built in"}, {"type": "image_url", "image_url": {"url": DATA_URL}}]
    text = lite(place, user(parts)).choices[0].message.content
    assert "an image" in text, text


def lite_errors(place):
    # See DEVIATIONS.txt.
    unknown = litellm.BadRequestError if place is LITES["openai"] else litellm.AuthenticationError
    is_bent = place is LITES["openai"] and not MODEL.startswith(("m", "openai", "ollama"))
    nowhere = litellm.BadRequestError if is_bent else litellm.NotFoundError
    kinds = [litellm.BadRequestError, unknown, nowhere, litellm.RateLimitError, litellm.InternalServerError]
    for said, kind in zip(STATUSES, kinds):
        raises(kind, lambda: lite(place, said))  # noqa: B023
    if KEY != "any":
        raises(unknown, lambda: lite(place, "hi", "sk-other"))


for name, place in LITES.items():
    for what in (lite_talks, lite_tools, lite_structured, lite_image, lite_errors):
        if (name, what) == ("gemini", lite_structured):  # see DEVIATIONS.txt
            continue
        named(f"lite{what.__name__.removeprefix('lite')}_{name}", what, place)


def lite_retries(place):
    same(lite(place, "stumble litellm-openai", num_retries=1).choices[0].message.content, TEXT)


def lite_embeds(place):
    vectors = litellm.embedding(model=lite_name(EMBEDDER, place), input=["a ship", "a sea"], api_key=KEY, **place).data
    same((len(vectors), len(vectors[0]["embedding"]) > 0), (2, True))


named("lite_retries_openai", lite_retries, LITES["openai"])
named("lite_embeds_openai", lite_embeds, LITES["openai"])

conclude()
