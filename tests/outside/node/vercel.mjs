// The Vercel AI SDK against the gateway at OPENAI_BASE_URL, over both of its providers.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { run } from "./checks.mjs";

const baseURL = process.env.OPENAI_BASE_URL;
const openai = createOpenAI({ baseURL, apiKey: process.env.OPENAI_API_KEY });
const compatible = createOpenAICompatible({ name: "cascade", baseURL, apiKey: process.env.OPENAI_API_KEY });
const prompt = "What is the capital of France?";
const schema = z.object({ name: z.string(), country: z.string() });
const models = { chat: openai.chat("support"), responses: openai.responses("support"), compatible: compatible("support") };
const checks = {};

for (const [name, model] of Object.entries(models)) {
  checks[`${name}_text`] = async () => {
    const { text, usage, finishReason } = await generateText({ model, prompt, maxRetries: 0 });
    return { text, total: usage.totalTokens, finishReason };
  };
  checks[`${name}_stream`] = async () => {
    const errors = [];
    const result = streamText({ model, prompt, maxRetries: 0, onError: ({ error }) => errors.push(String(error)) });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    return { text, total: (await result.usage).totalTokens, errors };
  };
  checks[`${name}_object`] = async () => {
    const { object } = await generateObject({ model, schema, prompt: `As JSON: ${prompt}`, maxRetries: 0 });
    return object;
  };
  checks[`${name}_tools`] = async () => {
    const asked = [];
    const weather = tool({
      description: "Looks up the weather",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => {
        asked.push(city);
        return "rain";
      },
    });
    const { text } = await generateText({
      model,
      prompt: "Use the tool: how is the weather in Oslo?",
      tools: { lookup: weather },
      stopWhen: stepCountIs(3),
      maxRetries: 0,
    });
    return { text, asked };
  };
}
checks.wrong_key = async () => {
  const model = createOpenAI({ baseURL, apiKey: "ck-wrong" }).chat("support");
  try {
    await generateText({ model, prompt, maxRetries: 0 });
  } catch (error) {
    return { status: error.statusCode, body: error.responseBody };
  }
};
await run(checks);
