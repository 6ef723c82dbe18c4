#!/usr/bin/env python3
"""An OpenAI-compatible upstream that behaves exactly as a test tells it to. Standard library only.

    mock_openai.py [--port N]        prints "listening on http://127.0.0.1:N/v1"

The model's name chooses the behaviour:
    mock-echo        answers "You said: <last user message>"; when the prompt holds numbered sources
                     (<source number="1">), answers with that sentence of the first one
                     which shares most words with the question, and cites it as [1]
    mock-tools       answers with one tool call, its arguments split over several chunks
    mock-calls       answers with two whole tool calls, both under number 0 as Gemini sends them
    mock-slow        one word each 200 ms (cancellation, time-outs)
    mock-stall       sends the first chunk, then nothing for a minute
    mock-cut         breaks the connection in the middle of the stream
    mock-long        is cut off at its limit; asked to continue, it ends
    mock-think       thinks between <think> tags, then answers as mock-echo does
    mock-mute        thinks, and answers nothing
    mock-error-NNN   answers with status NNN (429 carries Retry-After: 7)
    mock-embed       /v1/embeddings: 8 numbers for each text, derived from its SHA-256
    mock-mistral     like mock-echo, but refuses `stream_options` and `max_completion_tokens` with 422 as Mistral does
    mock-vllm        like mock-echo, but refuses turns that do not alternate, and a conversation that is longer than 64 words
                     together with its max_tokens, with 400 as vLLM does

GET /calls lists what was asked so far (path, authorization, body, and whether the client went away), DELETE /calls forgets it.
A request without "Authorization: Bearer mock-key" is answered 401.
"""
import argparse
import base64
import hashlib
import json
import re
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODELS = [
    "mock-echo", "mock-mistral", "mock-vllm", "mock-tools", "mock-calls", "mock-slow", "mock-stall", "mock-cut", "mock-long", "mock-think", "mock-mute",
    "mock-embed",
]
TOOL_ARGUMENTS = ['{"city"', ': "Par', 'is"}']
calls = []
calls_lock = threading.Lock()


def text_of(content):
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or [])


def answer(messages):
    """What a model that reads its prompt would say."""
    prompt = "\n".join(text_of(m.get("content")) for m in messages)
    question = next((text_of(m["content"]) for m in reversed(messages) if m["role"] == "user"), "")
    # The first line of a source names the document.
    passage = re.search(r'<source number="1">\n[^\n]*\n(.*?)</source>', prompt, re.DOTALL)
    if passage:
        asked = set(re.findall(r"\w+", question.rpartition("Question: ")[2].lower()))
        sentences = re.split(r"(?<=[.!?])\s", passage.group(1).strip())
        return max(sentences, key=lambda s: len(asked.intersection(re.findall(r"\w+", s.lower())))) + " [1]"
    return f"You said: {question}"


def vector(text):
    digest = hashlib.sha256(str(text).encode()).digest()
    numbers = [b / 255.0 - 0.5 for b in digest[:8]]
    norm = sum(n * n for n in numbers) ** 0.5
    return [n / norm for n in numbers]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send_json(self, status, value, **headers):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, content in headers.items():
            self.send_header(name.replace("_", "-"), content)
        self.end_headers()
        self.wfile.write(body)

    def fail(self, status, message, kind="invalid_request_error", **headers):
        self.send_json(status, {"error": {"message": message, "type": kind, "param": None, "code": None}}, **headers)

    def do_DELETE(self):
        with calls_lock:
            calls.clear()
        self.send_json(200, {})

    def do_GET(self):
        if self.path == "/calls":
            with calls_lock:
                return self.send_json(200, {"calls": calls})
        if self.path == "/v1/models":
            return self.send_json(200, {"object": "list", "data": [{"id": m, "object": "model", "owned_by": "mock"} for m in MODELS]})
        self.fail(404, "no such route")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        call = {"path": self.path, "authorization": self.headers.get("Authorization"), "body": body, "cancelled": False}
        with calls_lock:
            calls.append(call)
        if call["authorization"] != "Bearer mock-key":
            return self.fail(401, "Incorrect API key provided", "authentication_error")
        model = body.get("model", "")
        error = re.fullmatch(r"mock-error-(\d{3})", model)
        if error:
            status = int(error.group(1))
            return self.fail(status, f"upstream says {status}", "mock_error", **({"Retry_After": "7"} if status == 429 else {}))
        if self.path == "/v1/chat/completions" and self.refused(body, model):
            return None
        try:
            if self.path == "/v1/embeddings":
                self.embeddings(body)
            elif self.path == "/v1/chat/completions":
                (self.stream if body.get("stream") else self.complete)(body, model)
            else:
                self.fail(404, "no such route")
        except (BrokenPipeError, ConnectionResetError):
            call["cancelled"] = True
            self.close_connection = True

    def refused(self, body, model):
        """Answers what the real servers refuse; whether it did."""
        if model == "mock-mistral":
            unknown = [name for name in ("stream_options", "max_completion_tokens") if name in body]
            if unknown:
                detail = [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": body[name]} for name in unknown]
                self.send_json(422, {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error", "param": None, "code": None})
            return bool(unknown)
        if model == "mock-vllm":
            roles = [m["role"] for m in body["messages"] if m["role"] != "system"]
            words = sum(len(text_of(m.get("content")).split()) for m in body["messages"])
            wanted = body.get("max_tokens") or 0
            message = None
            if any(role != ("user", "assistant")[at % 2] for at, role in enumerate(roles)):
                message = "Conversation roles must alternate user/assistant/user/assistant/..."
            elif words + wanted > 64:
                message = f"This model's maximum context length is 64 tokens. However, you requested {words + wanted} tokens ({words} in the messages, {wanted} in the completion)."
            if message:
                self.send_json(400, {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400})
            return bool(message)
        return False

    def embeddings(self, body):
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        vectors = [vector(t) for t in texts]
        if body.get("encoding_format") == "base64":
            vectors = [base64.b64encode(struct.pack(f"<{len(v)}f", *v)).decode() for v in vectors]
        # Texts, or the ids of their tokens.
        tokens = sum(len(t.split() if isinstance(t, str) else t) for t in texts)
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        self.send_json(200, {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})

    def usage(self, body, text):
        prompt = sum(len(text_of(m.get("content")).split()) for m in body["messages"])
        return {"prompt_tokens": prompt, "completion_tokens": len(text.split()), "total_tokens": prompt + len(text.split())}

    def head(self, model, kind):
        return {"id": "chatcmpl-mock", "object": kind, "created": int(time.time()), "model": model}

    def complete(self, body, model):
        text = answer(body["messages"])
        message, reason = {"role": "assistant", "content": text}, "stop"
        if model == "mock-tools":
            function = {"name": "weather", "arguments": "".join(TOOL_ARGUMENTS)}
            message, reason = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}, "tool_calls"
        if model in ("mock-slow", "mock-stall"):
            time.sleep(60 if model == "mock-stall" else 5)
        choice = {"index": 0, "message": message, "finish_reason": reason}
        self.send_json(200, {**self.head(model, "chat.completion"), "choices": [choice], "usage": self.usage(body, text)})

    def event(self, value):
        data = f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def chunk(self, model, delta, reason=None):
        self.event({**self.head(model, "chat.completion.chunk"), "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    def stream(self, body, model):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        text = answer(body["messages"])
        self.chunk(model, {"role": "assistant", "content": None if model == "mock-tools" else ""})
        if model == "mock-tools":
            self.chunk(model, {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}]})
            for part in TOOL_ARGUMENTS:
                self.chunk(model, {"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
            self.chunk(model, {}, "tool_calls")
        elif model == "mock-calls":
            for i, city in enumerate(("Paris", "Oslo")):
                function = {"name": "weather", "arguments": json.dumps({"city": city})}
                self.chunk(model, {"tool_calls": [{"index": 0, "id": f"call_{i}", "type": "function", "function": function}]})
            self.chunk(model, {}, "tool_calls")
        else:
            reason = "stop"
            if model == "mock-long":
                goes_on = text_of(body["messages"][-1]["content"]).startswith("Your answer was cut off")
                text, reason = ("and here it ends.", "stop") if goes_on else ("This begins well ", "length")
            if model == "mock-think":
                text = f"<think>First I look at [1] and [2].</think>\n\n{text}"
            if model == "mock-mute":
                text = "<think>Nothing comes to mind.</think>"
            if model == "mock-slow":
                text = " ".join(f"word{i}" for i in range(100))
            for i, word in enumerate(re.findall(r"\S+\s*", text)):
                time.sleep(0.2 if model == "mock-slow" else 0.01)
                if model == "mock-stall" and i == 1:
                    time.sleep(60)
                if model == "mock-cut" and i == 2:
                    self.close_connection = True
                    return self.connection.close()
                self.chunk(model, {"content": word})
            self.chunk(model, {}, reason)
        if (body.get("stream_options") or {}).get("include_usage"):
            self.event({**self.head(model, "chat.completion.chunk"), "choices": [], "usage": self.usage(body, text)})
        self.event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
