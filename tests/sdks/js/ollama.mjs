import { Ollama } from "ollama";
import { AFTER, BASE, CALL, EMBEDDER, FACTS, KEY, MODEL, NONE, PIXEL, SCHEMA, TEXT } from "./harness.mjs";
import { all, check, holds, isFacts, raises, same, sawPixel, user } from "./harness.mjs";

const client = (key) => new Ollama({ host: BASE, headers: { authorization: `Bearer ${key}` } });
const ollama = client(KEY);
const tools = [
  { type: "function", function: { name: "weather", description: "The weather", parameters: SCHEMA } },
  { type: "function", function: { name: "time", description: "The time", parameters: NONE } },
];

check("ollama", async () => {
  const answer = await ollama.chat({ model: MODEL, messages: user("hi") });
  same([answer.message.content, answer.done_reason], [TEXT, "stop"]);
  holds(answer.eval_count > 0);
  const chunks = await all(await ollama.chat({ model: MODEL, messages: user("hi"), stream: true }));
  same(chunks.map((c) => c.message.content).join(""), TEXT);
  same((await ollama.generate({ model: MODEL, prompt: "hi" })).response, TEXT);
});

check("ollama tools over turns", async () => {
  const messages = user("the weather?");
  const answer = await ollama.chat({ model: MODEL, messages, tools });
  const [call] = answer.message.tool_calls;
  same([call.function.name, call.function.arguments], ["weather", CALL]);
  messages.push(answer.message, { role: "tool", tool_name: "weather", content: "24 degrees" });
  same((await ollama.chat({ model: MODEL, messages, tools })).message.content, AFTER);
  const chunks = await all(await ollama.chat({ model: MODEL, messages: user("both"), tools, stream: true }));
  same(chunks.flatMap((c) => c.message.tool_calls ?? []).map((c) => c.function.name), ["weather", "time"]);
});

check("ollama structured output", async () => {
  const answer = await ollama.chat({ model: MODEL, messages: user("built in"), format: FACTS });
  isFacts(JSON.parse(answer.message.content));
});

check("ollama image", async () => {
  const messages = [{ role: "user", content: "built in", images: [PIXEL] }];
  const { content } = (await ollama.chat({ model: MODEL, messages })).message;
  holds(content.includes("an image"), content);
});

check("ollama embeddings", async () => {
  const { embeddings } = await ollama.embed({ model: EMBEDDER, input: ["a ship", "a sea"] });
  same([embeddings.length, embeddings[0].length > 0], [2, true]);
});

check("ollama errors", async () => {
  for (const [said, status] of [["status 400", 400], ["status 401", 401], ["status 403", 403], ["status 404", 404], ["too fast", 429], ["status 500", 500]]) {
    await raises((e) => e.name === "ResponseError" && e.status_code === status, () => ollama.chat({ model: MODEL, messages: user(said) }));
  }
});

if (KEY !== "any") {
  check("ollama with another key", async () => {
    const asked = { model: MODEL, messages: user("hi") };
    await raises((e) => e.name === "ResponseError" && e.status_code === 401, () => client("sk-other").chat(asked));
  });
}
