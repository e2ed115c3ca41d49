import Anthropic from "@anthropic-ai/sdk";
import { AFTER, BASE, CALL, KEY, MODEL, NONE, PIXEL, SCHEMA, TEXT, FACTS } from "./harness.mjs";
import { check, holds, isFacts, raises, same, sawPixel, user } from "./harness.mjs";

const client = (more) => new Anthropic({ baseURL: BASE, apiKey: KEY, maxRetries: 0, ...more });
const anthropic = client();
const tools = [{ name: "weather", input_schema: SCHEMA }, { name: "time", input_schema: NONE }];
const ask = (content, more) => anthropic.messages.create({ model: MODEL, max_tokens: 200, messages: user(content), ...more });

check("anthropic messages", async () => {
  const answer = await ask("hi");
  same([answer.content[0].text, answer.stop_reason], [TEXT, "end_turn"]);
  holds(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
  holds((await anthropic.messages.countTokens({ model: MODEL, messages: user("hi") })).input_tokens > 0);
});

check("anthropic stream", async () => {
  const stream = anthropic.messages.stream({ model: MODEL, max_tokens: 2000, messages: user("think") });
  const texts = [];
  stream.on("text", (text) => texts.push(text));
  const answer = await stream.finalMessage();
  same([texts.join(""), answer.content.map((b) => b.type)], ["Forty-two.", ["thinking", "text"]]);
  same(answer.content[0].thinking, "First the one, then the other.");
});

check("anthropic tools over turns", async () => {
  const messages = user("the weather?");
  const answer = await anthropic.messages.create({ model: MODEL, max_tokens: 100, messages, tools });
  const call = answer.content.find((b) => b.type === "tool_use");
  same([call.name, call.input, answer.stop_reason], ["weather", CALL, "tool_use"]);
  const result = { type: "tool_result", tool_use_id: call.id, content: "24 degrees" };
  messages.push({ role: "assistant", content: answer.content }, { role: "user", content: [result] });
  const stream = anthropic.messages.stream({ model: MODEL, max_tokens: 100, messages, tools });
  same(await stream.finalText(), AFTER);
});

check("anthropic tools stream", async () => {
  const stream = anthropic.messages.stream({ model: MODEL, max_tokens: 100, messages: user("both"), tools });
  const calls = (await stream.finalMessage()).content.filter((b) => b.type === "tool_use").map((b) => [b.name, b.input]);
  same(calls, [["weather", { city: "Oslo" }], ["time", {}]]);
});

check("anthropic structured output", async () => {
  const answer = await ask("built in", { output_config: { format: { type: "json_schema", schema: FACTS } } });
  isFacts(JSON.parse(answer.content.find((b) => b.type === "text").text));
});

check("anthropic image", async () => {
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } };
  sawPixel((await ask([{ type: "text", text: "built in" }, image])).content[0].text);
});

check("anthropic errors", async () => {
  await raises(Anthropic.BadRequestError, () => ask("status 400"));
  await raises(Anthropic.AuthenticationError, () => ask("status 401"));
  await raises(Anthropic.PermissionDeniedError, () => ask("status 403"));
  await raises(Anthropic.NotFoundError, () => ask("status 404"));
  await raises(Anthropic.RateLimitError, () => ask("too fast"));
  await raises(Anthropic.InternalServerError, () => ask("status 500"));
  await raises(Anthropic.RateLimitError, () => ask("too fast", { stream: true }));
});

check("anthropic retries", async () => {
  const asked = { model: MODEL, max_tokens: 100, messages: user("stumble anthropic-js") };
  same((await client({ maxRetries: 1 }).messages.create(asked)).content[0].text, TEXT);
});

if (KEY !== "any") {
  check("anthropic with another key", async () => {
    const asked = { model: MODEL, max_tokens: 9, messages: user("hi") };
    await raises(Anthropic.AuthenticationError, () => client({ apiKey: "sk-other" }).messages.create(asked));
  });
}
