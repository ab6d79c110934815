// The official SDK for Node against the gateway at OPENAI_BASE_URL.
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { refused, run } from "./checks.mjs";

const client = new OpenAI({ maxRetries: 0 });
const model = "support";
const messages = [{ role: "user", content: "What is the capital of France?" }];
const City = z.object({ name: z.string(), country: z.string() });
const tools = [
  {
    type: "function",
    function: {
      name: "lookup",
      description: "Looks up the weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

await run({
  async chat() {
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
    return {
      text: data.choices[0].message.content,
      usage: data.usage,
      cascade: data.cascade,
      trace: response.headers.get("x-cascade-trace-id"),
      request: data._request_id,
    };
  },
  async chat_stream() {
    const stream = await client.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage = null;
    let cascade = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
      cascade = chunk.cascade ?? cascade;
    }
    return { text, usage, cascade };
  },
  async chat_stream_helper() {
    const runner = client.chat.completions.stream({ model, messages });
    const done = await runner.finalChatCompletion();
    return { text: done.choices[0].message.content, finish: done.choices[0].finish_reason };
  },
  async chat_parse() {
    const done = await client.chat.completions.parse({
      model,
      messages: [{ role: "user", content: "As JSON: what is the capital of France?" }],
      response_format: zodResponseFormat(City, "city"),
    });
    return done.choices[0].message.parsed;
  },
  async chat_tools() {
    const done = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content: "Use the tool: how is the weather in Oslo?" }],
      tools,
    });
    const [call] = done.choices[0].message.tool_calls;
    return { finish: done.choices[0].finish_reason, name: call.function.name, given: call.function.arguments };
  },
  async chat_run_tools() {
    const asked = [];
    const runner = client.chat.completions.runTools({
      model,
      messages: [{ role: "user", content: "Use the tool: how is the weather in Oslo?" }],
      tools: [
        {
          type: "function",
          function: {
            ...tools[0].function,
            parse: JSON.parse,
            function: ({ city }) => {
              asked.push(city);
              return "rain";
            },
          },
        },
      ],
    });
    return { text: await runner.finalContent(), asked };
  },
  async responses() {
    const done = await client.responses.create({ model, input: "What is the capital of France?" });
    return { text: done.output_text, status: done.status, usage: done.usage, cascade: done.cascade };
  },
  async responses_stream() {
    const stream = await client.responses.create({ model, input: "What is the capital of France?", stream: true });
    let text = "";
    const kinds = [];
    let last = null;
    for await (const event of stream) {
      kinds.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event;
    }
    return { text, kinds, cascade: last.response.cascade, usage: last.response.usage };
  },
  async responses_parse() {
    const done = await client.responses.parse({
      model,
      input: "As JSON: what is the capital of France?",
      text: { format: zodTextFormat(City, "city") },
    });
    return done.output_parsed;
  },
  async models() {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return ids;
  },
  async one_model() {
    return (await client.models.retrieve(model)).id;
  },
  async abort() {
    const stream = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content: "Slowly: what is the capital of France?" }],
      stream: true,
    });
    let pieces = 0;
    for await (const chunk of stream) {
      pieces += chunk.choices.length;
      if (pieces > 1) stream.controller.abort();
    }
    return { pieces };
  },
  wrong_key: () =>
    refused(new OpenAI({ apiKey: "ck-wrong", maxRetries: 0 }).chat.completions.create({ model, messages })),
  unknown_model: () => refused(client.chat.completions.create({ model: "gpt-9", messages })),
  bad_request: () => refused(client.chat.completions.create({ model, messages: [] })),
  provider_down: () =>
    refused(client.chat.completions.create({ model, messages: [{ role: "user", content: "Fail with 500" }] })),
  provider_refuses: () =>
    refused(client.chat.completions.create({ model, messages: [{ role: "user", content: "Fail with 400" }] })),
  poor_key: () =>
    refused(
      new OpenAI({ apiKey: process.env.POOR_KEY, maxRetries: 0 }).chat.completions.create({ model, messages }),
    ),
});
