// Vercel's SDK speaks three dialects by the same words.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { AFTER, BASE, CALL, EMBEDDER, FACTS, KEY, MODEL, NONE, PIXEL, SCHEMA, TEXT } from "./harness.mjs";
import { check, holds, isFacts, raises, same, sawPixel } from "./harness.mjs";

const openai = (apiKey) => createOpenAI({ baseURL: `${BASE}/v1`, apiKey });
const anthropic = (apiKey) => createAnthropic({ baseURL: `${BASE}/v1`, apiKey });
const google = (apiKey) => createGoogleGenerativeAI({ baseURL: `${BASE}/v1beta`, apiKey });
const speakers = {
  "openai chat": [(key) => openai(key).chat(MODEL)],
  "openai responses": [(key) => openai(key).responses(MODEL)],
  anthropic: [(key) => anthropic(key)(MODEL), "ai-anthropic"],
  google: [(key) => google(key)(MODEL), "ai-google"],
};
speakers["openai chat"].push("ai-openai");

for (const [name, [speaker, stumble]] of Object.entries(speakers)) {
  const model = speaker(KEY);
  const ask = (prompt, more) => generateText({ model, prompt, maxRetries: 0, ...more });
  const tools = (calls) => ({
    weather: tool({ inputSchema: jsonSchema(SCHEMA), execute: async (input) => (calls.push(["weather", input]), "24 degrees") }),
    time: tool({ inputSchema: jsonSchema(NONE) }),
  });

  check(`ai, ${name}`, async () => {
    const answer = await ask("hi");
    same([answer.text, answer.finishReason], [TEXT, "stop"]);
    holds(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
  });

  check(`ai, ${name}: stream`, async () => {
    const stream = streamText({ model, prompt: "hi", maxRetries: 0 });
    let text = "";
    for await (const delta of stream.textStream) text += delta;
    same([text, await stream.finishReason], [TEXT, "stop"]);
    holds((await stream.usage).outputTokens > 0);
  });

  check(`ai, ${name}: tools over turns`, async () => {
    const calls = [];
    const answer = await ask("the weather?", { tools: tools(calls), stopWhen: stepCountIs(3) });
    same([answer.text, calls, answer.steps.length], [AFTER, [["weather", CALL]], 2]);
  });

  check(`ai, ${name}: tools stream`, async () => {
    const stream = streamText({ model, prompt: "both", tools: tools([]), maxRetries: 0 });
    await stream.consumeStream();
    same((await stream.toolCalls).map((c) => [c.toolName, c.input]), [["weather", { city: "Oslo" }], ["time", {}]]);
  });

  check(`ai, ${name}: structured output`, async () => {
    isFacts((await ask("built in", { output: Output.object({ schema: jsonSchema(FACTS) }) })).output);
  });

  check(`ai, ${name}: image`, async () => {
    const content = [{ type: "text", text: "built in" }, { type: "image", image: PIXEL, mediaType: "image/png" }];
    sawPixel((await generateText({ model, maxRetries: 0, messages: [{ role: "user", content }] })).text);
  });

  check(`ai, ${name}: errors`, async () => {
    for (const [said, status, again] of [["status 400", 400, false], ["status 401", 401, false], ["status 404", 404, false], ["too fast", 429, true], ["status 500", 500, true]]) {
      await raises((e) => APICallError.isInstance(e) && e.statusCode === status && e.isRetryable === again, () => ask(said));
    }
    if (KEY !== "any") {
      const asked = { model: speaker("sk-other"), prompt: "hi", maxRetries: 0 };
      await raises((e) => APICallError.isInstance(e) && e.statusCode === 401, () => generateText(asked));
    }
  });

  if (stumble) {
    check(`ai, ${name}: retries`, async () => {
      same((await ask(`stumble ${stumble}`, { maxRetries: 1 })).text, TEXT);
    });
  }
}

check("ai, embeddings", async () => {
  const values = ["a ship", "a sea"];
  for (const model of [openai(KEY).embeddingModel(EMBEDDER), google(KEY).embeddingModel(EMBEDDER)]) {
    const { embeddings } = await embedMany({ model, values, maxRetries: 0 });
    same([embeddings.length, embeddings[0].length > 0], [2, true]);
  }
});
