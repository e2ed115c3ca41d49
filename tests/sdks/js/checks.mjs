// Official JavaScript SDKs as oracles of our server faces. usage: node checks.mjs BASE_URL [MODEL [KEY]]
import { conclude } from "./harness.mjs";
import "./openai.mjs";
import "./anthropic.mjs";
import "./google.mjs";
import "./ollama.mjs";
import "./ai.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;
await conclude();
