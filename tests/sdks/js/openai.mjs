import OpenAI from "openai";
import { AFTER, BASE, CALL, EMBEDDER, FACTS, KEY, MODEL, NONE, PIXEL, SCHEMA, TEXT } from "./harness.mjs";
import { all, check, holds, isFacts, raises, same, sawPixel, user } from "./harness.mjs";

const client = (more) => new OpenAI({ baseURL: `${BASE}/v1`, apiKey: KEY, maxRetries: 0, ...more });
const openai = client();
const tools = [
  { type: "function", function: { name: "weather", description: "The weather", parameters: SCHEMA } },
  { type: "function", function: { name: "time", description: "The time", parameters: NONE } },
];
const chat = (content, more) => openai.chat.completions.create({ model: MODEL, messages: user(content), ...more });

check("openai chat", async () => {
  const answer = await chat("hi");
  same([answer.choices[0].message.content, answer.choices[0].finish_reason], [TEXT, "stop"]);
  holds(answer.usage.total_tokens > 0);
});

check("openai chat stream", async () => {
  const chunks = await all(await chat("hi", { stream: true, stream_options: { include_usage: true } }));
  same(chunks.map((c) => c.choices[0]?.delta.content ?? "").join(""), TEXT);
  holds(chunks.at(-1).usage.total_tokens > 0);
});

check("openai tools over turns", async () => {
  const messages = user("the weather?");
  const answer = (await openai.chat.completions.create({ model: MODEL, messages, tools })).choices[0];
  const [call] = answer.message.tool_calls;
  same([call.function.name, JSON.parse(call.function.arguments), answer.finish_reason], ["weather", CALL, "tool_calls"]);
  messages.push(answer.message, { role: "tool", tool_call_id: call.id, content: "24 degrees" });
  same((await openai.chat.completions.create({ model: MODEL, messages, tools })).choices[0].message.content, AFTER);
});

check("openai runs tools by itself", async () => {
  const asked = [];
  const run = (name) => (given) => (asked.push([name, JSON.parse(given)]), "24 degrees");
  const runner = openai.chat.completions.runTools({
    model: MODEL,
    messages: user("the weather?"),
    stream: true,
    tools: tools.map((t) => ({ ...t, function: { ...t.function, function: run(t.function.name) } })),
  });
  same(await runner.finalContent(), AFTER);
  same(asked, [["weather", CALL]]);
});

check("openai tools stream", async () => {
  const stream = openai.chat.completions.stream({ model: MODEL, messages: user("both"), tools });
  const { message } = (await stream.finalChatCompletion()).choices[0];
  const calls = message.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments)]);
  same(calls, [["weather", { city: "Oslo" }], ["time", {}]]);
});

check("openai structured output", async () => {
  const format = { type: "json_schema", json_schema: { name: "facts", strict: true, schema: FACTS } };
  const answer = await openai.chat.completions.parse({ model: MODEL, messages: user("built in"), response_format: format });
  isFacts(JSON.parse(answer.choices[0].message.content));
});

check("openai image", async () => {
  const image = { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } };
  sawPixel((await chat([{ type: "text", text: "built in" }, image])).choices[0].message.content);
});

check("openai embeddings", async () => {
  const { data } = await openai.embeddings.create({ model: EMBEDDER, input: ["a ship", "a sea"] });
  same([data.length, data[0].embedding.length > 0, data[0].embedding.every(Number.isFinite)], [2, true, true]);
});

check("openai responses", async () => {
  const asked = { model: MODEL, tools: tools.map((t) => ({ type: "function", strict: false, ...t.function })) };
  same((await openai.responses.create({ model: MODEL, input: "hi" })).output_text, TEXT);
  const input = user("the weather?");
  const answer = await openai.responses.create({ ...asked, input });
  const call = answer.output.find((item) => item.type === "function_call");
  same([call.name, JSON.parse(call.arguments)], ["weather", CALL]);
  input.push(...answer.output, { type: "function_call_output", call_id: call.call_id, output: "24 degrees" });
  same((await openai.responses.create({ ...asked, input })).output_text, AFTER);
});

check("openai responses stream", async () => {
  const stream = openai.responses.stream({ model: MODEL, input: "think", reasoning: { summary: "auto" } });
  const deltas = (await all(stream)).filter((e) => e.type === "response.output_text.delta").map((e) => e.delta);
  const answer = await stream.finalResponse();
  same([deltas.join(""), answer.output_text], ["Forty-two.", "Forty-two."]);
  same(answer.output.map((item) => item.type), ["reasoning", "message"]);
});

check("openai responses structured output", async () => {
  const text = { format: { type: "json_schema", name: "facts", strict: true, schema: FACTS } };
  isFacts((await openai.responses.parse({ model: MODEL, input: "built in", text })).output_parsed);
});

check("openai errors", async () => {
  await raises(OpenAI.BadRequestError, () => chat("status 400"));
  await raises(OpenAI.AuthenticationError, () => chat("status 401"));
  await raises(OpenAI.PermissionDeniedError, () => chat("status 403"));
  await raises(OpenAI.NotFoundError, () => chat("status 404"));
  await raises(OpenAI.RateLimitError, () => chat("too fast"));
  await raises(OpenAI.InternalServerError, () => chat("status 500"));
  await raises(OpenAI.RateLimitError, () => openai.responses.create({ model: MODEL, input: "too fast" }));
  await raises(OpenAI.RateLimitError, () => chat("too fast", { stream: true }));
});

check("openai retries", async () => {
  const asked = { model: MODEL, messages: user("stumble openai-js") };
  same((await client({ maxRetries: 1 }).chat.completions.create(asked)).choices[0].message.content, TEXT);
});

if (KEY !== "any") {
  check("openai with another key", async () => {
    const asked = { model: MODEL, messages: user("hi") };
    await raises(OpenAI.AuthenticationError, () => client({ apiKey: "sk-other" }).chat.completions.create(asked));
  });
}
