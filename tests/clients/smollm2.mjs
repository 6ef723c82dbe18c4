// SmolLM2-135M behind an OpenAI-compatible server: a small but real chat model as an upstream for tests.
//
//   node smollm2.mjs MODEL.gguf [PORT]      prints "listening on http://127.0.0.1:PORT/v1" when it can answer
//
// Serves GET /v1/models and POST /v1/chat/completions, streaming or not, one request at a time (llama.cpp on the CPU).
import http from "node:http";
import { getLlama, LlamaChatSession } from "node-llama-cpp";

const [modelPath, port = "0"] = process.argv.slice(2);
const MODEL = "smollm2-135m-instruct";
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", progressLogs: false });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 4096, threads: 2 });
const sequence = context.getSequence();
let turn = Promise.resolve(); // one sequence: requests wait for each other

function history(messages) {
  return messages.map(({ role, content }) => {
    const text = typeof content === "string" ? content : content.map((part) => part.text ?? "").join("");
    return role === "assistant" ? { type: "model", response: [text] } : { type: role === "system" ? "system" : "user", text };
  });
}

async function complete(request, signal, onText) {
  const messages = history(request.messages);
  const last = messages.pop();
  await sequence.clearHistory();
  const session = new LlamaChatSession({ contextSequence: sequence, systemPrompt: undefined });
  session.setChatHistory(messages);
  const before = sequence.tokenMeter.getState();
  const text = await session.prompt(last.text, {
    signal,
    stopOnAbortSignal: true,
    maxTokens: request.max_completion_tokens ?? request.max_tokens ?? 128,
    temperature: request.temperature ?? 0,
    seed: request.seed ?? 1,
    onTextChunk: onText,
  });
  const used = sequence.tokenMeter.diff(before);
  session.dispose({ disposeSequence: false });
  return { text, usage: { prompt_tokens: used.usedInputTokens, completion_tokens: used.usedOutputTokens, total_tokens: used.usedInputTokens + used.usedOutputTokens } };
}

async function chat(request, response) {
  const abort = new AbortController();
  response.on("close", () => abort.abort());
  const head = { id: `chatcmpl-${Date.now()}`, created: Math.floor(Date.now() / 1000), model: MODEL };
  const chunk = (delta, finish = null, more = {}) =>
    response.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finish }], ...more })}\n\n`);
  if (!request.stream) {
    const { text, usage } = await complete(request, abort.signal);
    const choices = [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }];
    return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ...head, object: "chat.completion", choices, usage }));
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  chunk({ role: "assistant", content: "" });
  const { usage } = await complete(request, abort.signal, (content) => chunk({ content }));
  chunk({}, "stop");
  if (request.stream_options?.include_usage) {
    response.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [], usage })}\n\n`);
  }
  response.end("data: [DONE]\n\n");
}

const server = http.createServer(async (request, response) => {
  const fail = (status, message) =>
    response.headersSent ? response.destroy() : response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error: { message, type: "invalid_request_error" } }));
  try {
    if (request.method === "GET" && request.url === "/v1/models") {
      return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ object: "list", data: [{ id: MODEL, object: "model", owned_by: "huggingface" }] }));
    }
    if (request.method !== "POST" || request.url !== "/v1/chat/completions") return fail(404, "no such route");
    let body = "";
    for await (const part of request) body += part;
    turn = turn.then(() => chat(JSON.parse(body), response)).catch((error) => fail(500, String(error)));
    await turn;
  } catch (error) {
    fail(500, String(error));
  }
});
server.listen(Number(port), "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}/v1`));
