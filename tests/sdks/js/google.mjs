import { ApiError, FinishReason, GoogleGenAI } from "@google/genai";
import { AFTER, BASE, CALL, EMBEDDER, FACTS, KEY, MODEL, PIXEL, SCHEMA, TEXT } from "./harness.mjs";
import { all, check, holds, isFacts, raises, same, sawPixel } from "./harness.mjs";

const client = (apiKey = KEY) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: BASE } });
const { models } = client();
const config = {
  tools: [{
    functionDeclarations: [
      { name: "weather", description: "The weather", parametersJsonSchema: SCHEMA },
      { name: "time", description: "The time" },
    ],
  }],
};
const ask = (contents, config) => models.generateContent({ model: MODEL, contents, config });

check("gemini", async () => {
  const answer = await ask("hi");
  same([answer.text, answer.candidates[0].finishReason], [TEXT, FinishReason.STOP]);
  holds(answer.usageMetadata.totalTokenCount > 0);
  const chunks = await all(await models.generateContentStream({ model: MODEL, contents: "hi" }));
  same(chunks.map((c) => c.text ?? "").join(""), TEXT);
  holds((await models.countTokens({ model: MODEL, contents: "hi" })).totalTokens > 0);
});

check("gemini tools over turns", async () => {
  const contents = [{ role: "user", parts: [{ text: "the weather?" }] }];
  const answer = await ask(contents, config);
  const [call] = answer.functionCalls;
  same([call.name, call.args], ["weather", CALL]);
  const result = { functionResponse: { id: call.id, name: call.name, response: { result: "24 degrees" } } };
  contents.push(answer.candidates[0].content, { role: "user", parts: [result] });
  same((await ask(contents, config)).text, AFTER);
});

check("gemini tools stream", async () => {
  const chunks = await all(await models.generateContentStream({ model: MODEL, contents: "both", config }));
  const calls = chunks.flatMap((c) => c.functionCalls ?? []).map((c) => [c.name, c.args ?? {}]);
  same(calls, [["weather", { city: "Oslo" }], ["time", {}]]);
});

check("gemini thoughts", async () => {
  const { parts } = (await ask("think")).candidates[0].content;
  same(parts.map((p) => [p.text, p.thought ?? false]), [["First the one, then the other.", true], ["Forty-two.", false]]);
});

check("gemini structured output", async () => {
  isFacts(JSON.parse((await ask("built in", { responseMimeType: "application/json", responseJsonSchema: FACTS })).text));
});

check("gemini image", async () => {
  sawPixel((await ask([{ text: "built in" }, { inlineData: { mimeType: "image/png", data: PIXEL } }])).text);
});

check("gemini embeddings", async () => {
  const { embeddings } = await models.embedContent({ model: EMBEDDER, contents: ["a ship", "a sea"] });
  same([embeddings.length, embeddings[0].values.length > 0], [2, true]);
});

check("gemini errors", async () => {
  for (const status of [400, 401, 403, 404, 500]) {
    await raises((e) => e instanceof ApiError && e.status === status, () => ask(`status ${status}`));
  }
  await raises((e) => e instanceof ApiError && e.status === 429, () => ask("too fast"));
});

check("gemini retries", async () => {
  const httpOptions = { baseUrl: BASE, retryOptions: { attempts: 2 } };
  const again = new GoogleGenAI({ apiKey: KEY, httpOptions });
  same((await again.models.generateContent({ model: MODEL, contents: "stumble gemini-js" })).text, TEXT);
});

if (KEY !== "any") {
  check("gemini with another key", async () => {
    const asked = { model: MODEL, contents: "hi" };
    await raises((e) => e instanceof ApiError && e.status === 401, () => client("sk-other").models.generateContent(asked));
  });
}
