// What the checks of all SDKs have in common. usage: node checks.mjs BASE_URL [MODEL [KEY]]
import assert from "node:assert/strict";

export const BASE = process.argv[2];
export const MODEL = process.argv[3] ?? "m";
export const KEY = process.argv[4] ?? "any";
/** Anthropic has no embeddings, and Responses is for chat: those come from where there are some. */
export const EMBEDDER = /^(anthropic|openai:responses)\//.test(MODEL) ? "openai/m" : MODEL;
export const TEXT = "Hello from the harbour: é, 漢字, 🚢.";
export const AFTER = "It is 24 degrees in Oslo.";
export const CALL = { city: "Oslo", days: 2, note: 'é "quoted" 🚢' };
export const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" }, note: { type: "string" } },
  required: ["city"],
};
export const NONE = { type: "object", properties: {} };
export const FACTS = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
/** One white pixel. */
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

const CHECKS = [];
/** The longest that a check may take, in seconds: most take less than one. */
const LONGEST = 90;
export const check = (name, run) => CHECKS.push([name, run]);
export const same = (got, wanted) => assert.deepStrictEqual(got, wanted);
export const holds = (fact, what) => assert.ok(fact, what);
export const user = (text) => [{ role: "user", content: text }];

export function isFacts(value) {
  same([typeof value.city, Number.isInteger(value.days)], ["string", true]);
}

export function sawPixel(text) {
  holds(text.includes("image/png"), text);
}

/** What an error has to be; `what` is a class or a test of it. */
export async function raises(what, run) {
  let error;
  try {
    await run();
  } catch (caught) {
    error = caught;
  }
  holds(error, "no error");
  const fits = what.prototype instanceof Error ? error instanceof what : what(error);
  holds(fits, `${error.constructor.name} (${error.status ?? error.statusCode ?? error.status_code}): ${error.message}`);
}

export async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** Runs a check in its time: some clients would wait forever. */
async function attempt(run) {
  let timer;
  const overdue = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came of it in ${LONGEST} s`)), LONGEST * 1000);
  });
  try {
    await Promise.race([run(), overdue]);
  } finally {
    clearTimeout(timer);
  }
}

export async function conclude() {
  let failed = 0;
  for (const [name, run] of CHECKS) {
    try {
      await attempt(run);
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
  }
  console.log(`${CHECKS.length - failed} of ${CHECKS.length} checks hold`);
  process.exit(failed > 0 ? 1 : 0);
}
