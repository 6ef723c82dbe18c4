// The clients that JavaScript programs use, as they come, against a running appliance: openai and the AI SDK. Run by
// openai_client.py, which says where the appliance is (APPLIANCE_URL, APPLIANCE_KEY, MOCK_URL). Each check is a function; all run.
import assert from 'node:assert/strict';

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embed, generateText, jsonSchema, streamText, tool } from 'ai';
import OpenAI from 'openai';

const { APPLIANCE_URL: url, APPLIANCE_KEY: apiKey, MOCK_URL: mock } = process.env;
const baseURL = `${url}/v1`;
const openai = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const provider = createOpenAICompatible({ name: 'holdfast', baseURL, apiKey, includeUsage: true });
const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const say = (content) => [{ role: 'user', content }];

/** Whether the mock saw its client go away from `model`, within ten seconds. */
async function wasCancelled(model) {
  for (let turn = 0; turn < 50; turn++) {
    const { calls } = await (await fetch(`${mock}/calls`)).json();
    if (calls.some((call) => call.body.model === model && call.cancelled)) return true;
    await new Promise((done) => setTimeout(done, 200));
  }
  return false;
}

const checks = {
  async 'openai: whole'() {
    const answer = await openai.chat.completions.create({ model: 'mock/mock-echo', messages: say('hello there') });
    assert.equal(answer.choices[0].message.content, 'You said: hello there');
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.ok(answer.usage.total_tokens > 0);
  },
  async 'openai: stream'() {
    const stream = openai.chat.completions.stream({ model: 'mock/mock-echo', messages: say('one two three'), stream_options: { include_usage: true } });
    const answer = await stream.finalChatCompletion();
    assert.equal(answer.choices[0].message.content, 'You said: one two three');
    assert.ok(answer.usage.completion_tokens > 0);
  },
  async 'openai: tool calls in a stream'() {
    const tools = [{ type: 'function', function: { name: 'weather', parameters: city } }];
    for (const [model, expected] of [['mock-tools', ['Paris']], ['mock-calls', ['Paris', 'Oslo']]]) {
      const answer = await openai.chat.completions.stream({ model: `mock/${model}`, messages: say('x'), tools }).finalChatCompletion();
      const cities = answer.choices[0].message.tool_calls.map((call) => JSON.parse(call.function.arguments).city);
      assert.deepEqual(cities, expected, model);
      assert.equal(answer.choices[0].finish_reason, 'tool_calls');
    }
  },
  async 'openai: errors keep their class'() {
    const wrong = new OpenAI({ baseURL, apiKey: 'hf_wrong', maxRetries: 0 });
    await assert.rejects(wrong.models.list(), (e) => e instanceof OpenAI.AuthenticationError && e.status === 401 && e.code === 'invalid_api_key');
    const ask = (model, more) => openai.chat.completions.create({ model, messages: say('x'), ...more });
    await assert.rejects(ask('no/such-model'), (e) => e instanceof OpenAI.NotFoundError && e.param === 'model');
    await assert.rejects(ask('mock/mock-error-429'), (e) => e instanceof OpenAI.RateLimitError && e.headers.get('retry-after') === '7');
    await assert.rejects(openai.completions.create({ model: 'mock/mock-echo', prompt: 'x' }), (e) => e instanceof OpenAI.NotFoundError && /\/v1\/chat\/completions/.test(e.message));
    const stream = await ask('mock/mock-cut', { stream: true });
    await assert.rejects(async () => { for await (const _ of stream); }, (e) => e instanceof OpenAI.APIError && e.code === 'provider_stream_cut');
  },
  async 'openai: abort stops the provider'() {
    const stream = await openai.chat.completions.create({ model: 'mock/mock-slow', messages: say('x'), stream: true });
    for await (const _ of stream) break;
    assert.ok(await wasCancelled('mock-slow'));
  },
  async 'openai: models and embeddings'() {
    assert.equal((await openai.models.retrieve('mock/mock-echo')).id, 'mock/mock-echo');
    const ids = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    assert.ok(ids.includes('agent/kettle'), ids);
    const { data } = await openai.embeddings.create({ model: 'embed', input: ['kettle', 'чайник'] });
    assert.equal(data.length, 2);
    const norm = data[0].embedding.reduce((sum, n) => sum + n * n, 0);
    assert.ok(Math.abs(norm - 1) < 1e-3, `${norm}`);
  },
  async 'AI SDK: whole'() {
    const { text, finishReason, usage } = await generateText({ model: provider('mock/mock-echo'), prompt: 'hello there' });
    assert.deepEqual([text, finishReason], ['You said: hello there', 'stop']);
    assert.ok(usage.totalTokens > 0, JSON.stringify(usage));
  },
  async 'AI SDK: stream'() {
    const answer = streamText({ model: provider('mock/mock-echo'), prompt: 'one two three' });
    let text = '';
    for await (const piece of answer.textStream) text += piece;
    assert.deepEqual([text, await answer.finishReason], ['You said: one two three', 'stop']);
    assert.ok((await answer.usage).outputTokens > 0);
  },
  async 'AI SDK: tool calls'() {
    const asked = [];
    const weather = tool({ inputSchema: jsonSchema(city), execute: async (input) => asked.push(input.city) });
    for (const [model, expected] of [['mock-tools', ['Paris']], ['mock-calls', ['Paris', 'Oslo']]]) {
      asked.length = 0;
      const answer = streamText({ model: provider(`mock/${model}`), prompt: 'x', tools: { weather } });
      await answer.consumeStream();
      assert.deepEqual([asked, await answer.finishReason], [expected, 'tool-calls'], model);
    }
  },
  async 'AI SDK: an agent'() {
    const { text } = await generateText({ model: provider('agent/kettle'), prompt: 'How long is the warranty of the Aurora kettle?' });
    assert.match(text, /27 months/);
  },
  async 'AI SDK: errors'() {
    const wrong = createOpenAICompatible({ name: 'holdfast', baseURL, apiKey: 'hf_wrong' });
    await assert.rejects(generateText({ model: wrong('mock/mock-echo'), prompt: 'x', maxRetries: 0 }), (e) => APICallError.isInstance(e) && e.statusCode === 401 && /API key/.test(e.message) && !e.isRetryable);
    await assert.rejects(generateText({ model: provider('no/such-model'), prompt: 'x', maxRetries: 0 }), (e) => APICallError.isInstance(e) && e.statusCode === 404 && /there is no model/.test(e.message));
    let failed;
    const cut = streamText({ model: provider('mock/mock-cut'), prompt: 'x', onError: ({ error }) => { failed = error; } });
    await cut.consumeStream();
    assert.match(`${failed?.message ?? failed}`, /stream ended|broke/);
  },
  async 'AI SDK: abort stops the provider'() {
    await fetch(`${mock}/calls`, { method: 'DELETE' });
    const controller = new AbortController();
    const answer = streamText({ model: provider('mock/mock-slow'), prompt: 'x', abortSignal: controller.signal, onError() {} });
    for await (const _ of answer.textStream) controller.abort();
    assert.ok(await wasCancelled('mock-slow'));
  },
  async 'AI SDK: embedding'() {
    const { embedding } = await embed({ model: (provider.embeddingModel ?? provider.textEmbeddingModel)('embed'), value: 'kettle' });
    assert.equal(embedding.length, 384);
  },
};

let failures = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok    ${name}`);
  } catch (error) {
    failures++;
    console.log(`FAIL  ${name}\n${error.stack}`);
  }
}
console.log(`node: ${Object.keys(checks).length - failures} passed, ${failures} failed`);
process.exit(failures ? 1 : 0);
