#!/usr/bin/env python3
"""The Python `openai` client against a running appliance: only the URL and the key differ from OpenAI's own.

Run by scripts/test through with_appliance.py, which sets the environment. Each check is a function; all run, the summary
says which failed.
"""
import base64
import json
import os
import struct
import sys
import time
import traceback
import urllib.request

import openai
from management import Api, first_key, wait_for, wait_until_ready

URL = os.environ["APPLIANCE_URL"]
MOCK = os.environ["MOCK_URL"]
FACT = "The Aurora kettle carries a warranty of 27 months from the date of purchase."
DOCUMENT = f"# Aurora kettle\n\n## Warranty\n\n{FACT}\n\n## Cleaning\n\nDescale the kettle with citric acid every eight weeks.\n"


def set_up():
    """Makes a key, a knowledge base with one document, and two agents on it. Returns the key."""
    key = first_key(URL, os.environ["APPLIANCE_EMAIL"], os.environ["APPLIANCE_ONE_TIME_PASSWORD"])
    api = Api(URL, key)
    base = api.call("POST", "/api/v1/knowledge-bases", {"name": "Kettles"})
    document = api.upload(base["id"], "kettle.md", DOCUMENT)
    wait_until_ready(api, base["id"], [document["id"]])
    for slug, model in (("kettle", "mock/mock-echo"), ("kettle-plain", "builtin/extractive")):
        api.call("POST", "/api/v1/agents", {"name": slug, "slug": slug, "model": model, "instructions": "Answer from the passages.", "knowledge_bases": [base["id"]]})
    return key


def question(client, model, text="How long is the warranty of the Aurora kettle?", **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


def models(client):
    ids = [model.id for model in client.models.list()]
    for expected in ("agent/kettle", "mock/mock-echo", "builtin/extractive"):
        assert expected in ids, f"{expected} is not in {ids}"


def chat(client):
    answer = question(client, "mock/mock-echo", "hello there")
    assert answer.choices[0].message.content == "You said: hello there", answer
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0, answer.usage


def chat_streaming(client):
    chunks = list(question(client, "mock/mock-echo", "one two three four", stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You said: one two three four", text
    assert chunks[-1].usage and chunks[-1].usage.completion_tokens > 0, chunks[-1]


def tool_calls_survive_streaming(client):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
    parts = [c.choices[0].delta.tool_calls[0] for c in question(client, "mock/mock-tools", stream=True, tools=tools) if c.choices and c.choices[0].delta.tool_calls]
    assert parts[0].id == "call_1" and parts[0].function.name == "weather", parts[0]
    assert json.loads("".join(p.function.arguments or "" for p in parts)) == {"city": "Paris"}


def disconnect_cancels_upstream(client):
    stream = question(client, "mock/mock-slow", stream=True)
    next(iter(stream))
    stream.close()

    def cancelled():
        with urllib.request.urlopen(f"{MOCK}/calls") as response:
            return any(c["cancelled"] for c in json.load(response)["calls"] if c["body"].get("model") == "mock-slow")

    wait_for("upstream cancelled", cancelled, 10)


def embeddings(client):
    floats = client.embeddings.create(model="embed", input=["kettle", "чайник"], encoding_format="float")
    assert len(floats.data) == 2 and [d.index for d in floats.data] == [0, 1]
    assert abs(sum(x * x for x in floats.data[0].embedding) - 1) < 1e-3, "not normalised"
    raw = client.embeddings.with_raw_response.create(model="embed", input=["kettle"], encoding_format="base64")
    packed = base64.b64decode(json.loads(raw.text)["data"][0]["embedding"])
    unpacked = struct.unpack(f"<{len(packed) // 4}f", packed)
    assert all(abs(a - b) < 1e-5 for a, b in zip(unpacked, floats.data[0].embedding, strict=True))
    default = client.embeddings.create(model="embed", input="kettle")  # the client asks for base64 by itself
    assert len(default.data[0].embedding) == len(unpacked)


def cites(message):
    annotations = message.model_dump().get("annotations") or []
    assert annotations and all(a["type"] == "file_citation" for a in annotations), message
    assert "kettle.md" in json.dumps(annotations), annotations


def agent_cites_its_document(client):
    answer = question(client, "agent/kettle")
    assert "27 months" in answer.choices[0].message.content, answer
    cites(answer.choices[0].message)


def agent_streams(client):
    chunks = list(question(client, "agent/kettle", stream=True))
    assert "27 months" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert any("file_citation" in c.model_dump_json() for c in chunks), "no citation in the stream"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


def agent_without_a_language_model(client):
    answer = question(client, "agent/kettle-plain").choices[0].message
    assert "27 months" in answer.content, answer
    cites(answer)


def expect(status, error, call):
    try:
        call()
    except error as caught:
        assert caught.status_code == status, caught
        assert caught.body and caught.body.get("message"), f"not OpenAI's error shape: {caught.body}"
        return caught
    raise AssertionError(f"no {error.__name__}")


def errors(client):
    wrong = openai.OpenAI(base_url=f"{URL}/v1", api_key="hf_wrong", max_retries=0)
    expect(401, openai.AuthenticationError, lambda: wrong.models.list())
    expect(404, openai.NotFoundError, lambda: question(client, "agent/nobody"))
    expect(404, openai.NotFoundError, lambda: question(client, "no/such-model"))
    limited = expect(429, openai.RateLimitError, lambda: question(client, "mock/mock-error-429"))
    assert limited.response.headers.get("retry-after"), "no Retry-After"
    expect(502, openai.APIStatusError, lambda: question(client, "mock/mock-error-500"))
    expect(400, openai.BadRequestError, lambda: client.chat.completions.create(model="mock/mock-echo", messages="x"))


CHECKS = [models, chat, chat_streaming, tool_calls_survive_streaming, disconnect_cancels_upstream, embeddings,
          agent_cites_its_document, agent_streams, agent_without_a_language_model, errors]


def main():
    key = set_up()
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key=key, max_retries=0, timeout=60)
    failed = 0
    for check in CHECKS:
        started = time.monotonic()
        try:
            check(client)
            print(f"ok    {check.__name__} ({time.monotonic() - started:.2f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL  {check.__name__}", flush=True)
            traceback.print_exc(file=sys.stdout)
    print(f"openai: {len(CHECKS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
