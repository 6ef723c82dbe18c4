#!/usr/bin/env python3
"""The Python `openai` client against a running appliance: only the URL and the key differ from OpenAI's own.

Run by scripts/test through with_appliance.py, which sets the environment. Each check is a function; all run, the summary
says which failed.
"""
import base64
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from pathlib import Path

import httpx
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


def a_wrong_key_does_not_cost_the_connection(_):
    """A hundred calls with a wrong key, one after the other on one connection: each is answered 401."""
    with httpx.Client(limits=httpx.Limits(max_connections=1, max_keepalive_connections=1)) as http:
        wrong = openai.OpenAI(base_url=f"{URL}/v1", api_key="hf_wrong", max_retries=0, http_client=http)
        text = "word " * 5000
        for turn in range(100):
            expect(401, openai.AuthenticationError, lambda: question(wrong, "mock/mock-echo", text if turn % 2 else "short"))
            expect(401, openai.AuthenticationError, lambda: wrong.embeddings.create(model="embed", input=text))


def servers_that_differ(client):
    for model in ("mock/mock-mistral", "mock/mock-vllm"):
        chunks = list(question(client, model, "one two", stream=True, stream_options={"include_usage": True}))
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "You said: one two", chunks
        assert chunks[-1].usage.completion_tokens > 0, chunks[-1]
    limited = question(client, "mock/mock-mistral", "one", max_completion_tokens=50)
    assert limited.choices[0].message.content == "You said: one", limited
    two = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    joined = client.chat.completions.create(model="mock/mock-vllm", messages=two)
    assert joined.choices[0].message.content == "You said: one\n\ntwo", joined
    long = expect(400, openai.BadRequestError, lambda: question(client, "mock/mock-vllm", "word " * 100))
    assert long.code == "context_length_exceeded" and "64 tokens" in str(long), long
    expect(400, openai.BadRequestError, lambda: question(client, "mock/mock-vllm", "one", max_tokens=4096))


def langchain_embeds_as_it_comes(client):
    """LangChain cuts texts into the tokens of cl100k_base before it asks for vectors."""
    vocabulary = tiktoken_vocabulary()
    if not vocabulary:
        print("      not checked: no vocabulary of cl100k_base on this machine", flush=True)
        return
    os.environ["TIKTOKEN_CACHE_DIR"] = vocabulary
    from langchain_openai import OpenAIEmbeddings

    for model, length in (("embed", None), ("mock/mock-embed", 8)):
        embedder = OpenAIEmbeddings(model=model, base_url=f"{URL}/v1", api_key=client.api_key, max_retries=0)
        vectors = embedder.embed_documents(["kettle", "чайник"])
        assert len(vectors) == 2 and len(vectors[0]) == len(embedder.embed_query("kettle")), [len(v) for v in vectors]
        assert length is None or len(vectors[0]) == length, len(vectors[0])
    plain = client.embeddings.create(model="embed", input=["kettle"], encoding_format="float").data[0].embedding
    cut = OpenAIEmbeddings(model="embed", base_url=f"{URL}/v1", api_key=client.api_key).embed_documents(["kettle"])[0]
    assert all(abs(a - b) < 1e-4 for a, b in zip(plain, cut, strict=True)), "tokens and text have other vectors"


def tiktoken_vocabulary():
    """A folder as tiktoken keeps it, out of the vocabulary that the crate tiktoken-rs brings; None without one."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    found = sorted(home.glob("registry/src/*/tiktoken-rs-*/assets/cl100k_base.tiktoken"))
    if not found:
        return None
    folder = tempfile.mkdtemp(prefix="tiktoken-")
    # tiktoken names a file by the SHA-1 of its address.
    shutil.copy(found[-1], Path(folder) / "9b5ad71b2ce5302211f9c61530b329a4922fc6a4")
    return folder


def packed_bodies(client):
    """Some clients pack what is large."""
    body = json.dumps({"model": "mock/mock-echo", "messages": [{"role": "user", "content": "hello there"}]}).encode()
    for coding, data, status in (("gzip", gzip.compress(body), 200), ("zstd", b"(\xb5/\xfd", 415)):
        headers = {"Authorization": f"Bearer {client.api_key}", "Content-Type": "application/json", "Content-Encoding": coding}
        answer = httpx.post(f"{URL}/v1/chat/completions", content=data, headers=headers)
        assert answer.status_code == status, answer.text
        said = answer.json()["choices"][0]["message"]["content"] if status == 200 else answer.json()["error"]["message"]
        assert ("You said: hello there" if status == 200 else "Content-Encoding") in said, said


def whole_calls_under_one_number(client):
    """The library puts the pieces of a call together by their number."""
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    with client.chat.completions.stream(model="mock/mock-calls", messages=[{"role": "user", "content": "x"}], tools=tools) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}, {"city": "Oslo"}], calls


def node_clients(client):
    """openai and the AI SDK of JavaScript, where node and its packages are there (scripts/test brings them)."""
    folder = Path(__file__).resolve().parent
    if not shutil.which("node") or not (folder / "node_modules" / "ai").exists():
        print("      not checked: no Node.js, or no tests/clients/node_modules", flush=True)
        return
    environment = {**os.environ, "APPLIANCE_KEY": client.api_key}
    done = subprocess.run(["node", str(folder / "node_clients.mjs")], env=environment, capture_output=True, text=True, timeout=300)
    print("".join(f"      {line}\n" for line in (done.stdout + done.stderr).splitlines()), end="", flush=True)
    assert done.returncode == 0, "a check of node_clients.mjs failed"


CHECKS = [a_wrong_key_does_not_cost_the_connection, servers_that_differ, langchain_embeds_as_it_comes, models, chat, chat_streaming, tool_calls_survive_streaming, disconnect_cancels_upstream, embeddings,
          agent_cites_its_document, agent_streams, agent_without_a_language_model, errors, packed_bodies, whole_calls_under_one_number, node_clients]


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
