#!/usr/bin/env python3
"""Ten thousand requests of every kind on the demo model, mixed and many at once: each is answered as it should be, and memory,
descriptors and threads do not grow.

Usage: soak.py [--binary build/release/qwen3vl] [--requests 10000] [--at-once 16]
Chats with and without pictures, streams, clients that leave, tools, schemas, grammars, several answers, bad requests, predict,
uploads and Gradio's queue, Anthropic's messages, completions, responses, tokenize, the page. Prints what was asked, and memory,
descriptors and threads at the start (all keys and values touched), after a fifth and at the end. From the fifth on, memory may grow by
16 MB: the picture cache is full by then, and what is left is how the allocator's pieces lie. Exit 1 where anything else happens.
"""
import argparse
import base64
import http.client
import itertools
import json
import pathlib
import random
import sys
import tempfile
import threading
import time

from harness import ROOT, ask, in_threads, metrics, picture, raise_descriptor_limit, request, start, wait_until
from load import fill_pool, leave, state

MAX_GROWTH_MB = 16
JSON_TYPE = {"Content-Type": "application/json"}
COLOURS = {"type": "object", "properties": {"colour": {"enum": ["red", "green"]}, "count": {"type": "integer", "minimum": 0, "maximum": 99}},
           "required": ["colour", "count"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "look", "parameters": COLOURS}}


class Client:
    """One of those who ask at once: a kept connection, and its own chance."""

    def __init__(self, port, seed):
        self.port, self.chance = port, random.Random(seed)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def send(self, method, path, body=None, headers=JSON_TYPE):
        """(status, body); now and then on a new connection."""
        if self.chance.random() < 0.1:
            self.connection.close()
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        for last in (False, True):
            try:
                self.connection.request(method, path, data, headers)
                reply = self.connection.getresponse()
                return reply.status, reply.read()
            except (ConnectionError, http.client.RemoteDisconnected):  # a kept connection may have been closed meanwhile
                self.connection.close()
                if last:
                    raise

    def good(self, path, body, has):
        status, data = self.send("POST", path, body)
        if status != 200 or has not in data:
            raise RuntimeError(f"{path}: {status} without {has!r}: {data[-500:]!r}")
        return data

    def picture(self, i):
        """Some come again, most are new."""
        seed = i % 40 if self.chance.random() < 0.3 else 10000 + i
        return picture(seed, self.chance.choice([64, 96, 128, 200]), self.chance.choice([64, 96, 160]))

    def chat(self, i, stream=False, image=False, **more):
        body = request(f"Say something about the number {i}.", self.chance.randint(1, 48), stream, self.picture(i) if image else None)
        body["temperature"] = self.chance.choice([0, 0, 1])
        return {**body, **more}


def messages(client, i, **more):
    content = [{"type": "text", "text": f"What is {i}?"}]
    if i % 3 == 0:
        data = client.picture(i).split(",")[1]
        content.insert(0, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}})
    return {"model": "demo", "max_tokens": 16, "messages": [{"role": "user", "content": content}], **more}


def schema_answer(client, i):
    form = {"type": "json_schema", "json_schema": {"name": "colours", "schema": COLOURS}}
    answer = json.loads(client.good("/v1/chat/completions", client.chat(i, response_format=form, max_tokens=100), b'"choices"'))
    if set(json.loads(answer["choices"][0]["message"]["content"])) != {"colour", "count"}:
        raise RuntimeError(f"not of the schema: {answer}")


def leaver(client, i):
    leave(client.port, i, client.chance)


def queued(client, i):
    event = json.loads(client.good("/gradio_api/call/predict", {"data": [f"What is {i}?", None, "instruct"]}, b"event_id"))["event_id"]
    status, data = client.send("GET", f"/gradio_api/call/predict/{event}")
    if status != 200 or b"event: complete" not in data:
        raise RuntimeError(f"gradio: {status}: {data[-300:]!r}")


def uploaded(client, i):
    png = base64.b64decode(client.picture(i).split(",")[1])
    body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + png + b"\r\n--b--\r\n"
    status, data = client.send("POST", "/gradio_api/upload", body, {"Content-Type": "multipart/form-data; boundary=b"})
    if status != 200:
        raise RuntimeError(f"upload: {status}: {data[:300]!r}")
    client.good("/api/predict", {"data": ["What is this?", {"path": json.loads(data)[0]}, "instruct"]}, b'"data"')


def bad(client, i):
    chat = client.chat(i)
    path, body, expected = client.chance.choice([
        ("/v1/chat/completions", b'{"messages": [', 400),
        ("/v1/chat/completions", b"\xff\xfe" * 2000, 400),
        ("/v1/chat/completions", {**chat, "temperature": "hot"}, 400),
        ("/v1/chat/completions", {**chat, "messages": [{"role": "nobody", "content": "x"}]}, 400),
        ("/v1/chat/completions", {**chat, "messages": []}, 400),
        ("/v1/chat/completions", request("x " * 3000, 8, False), 400),
        ("/v1/chat/completions", request("x", 8, True, "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA"), 400),
        ("/v1/chat/completions", {**chat, "model": "other"}, 404),
        ("/v1/chat/completions", {**chat, "grammar": 'root ::= "a" b'}, 400),
        ("/v1/chat/completions", {**chat, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"not": {}}}}}, 400),
        ("/v1/messages", messages(client, i, max_tokens=-1), 400),
        ("/v1/responses", {"model": "demo", "input": [{"type": "nothing"}]}, 400),
        ("/v1/completions", {"prompt": [[[1]]]}, 400),
        ("/api/predict", {"data": []}, 400),
        ("/v1/nowhere", {}, 404),
    ])
    status, data = client.send("POST", path, body)
    if status != expected or b'"error"' not in data:
        raise RuntimeError(f"{path} {body!r:.200}: {status}, expected {expected}: {data[:300]!r}")


def others(client, i):
    path = ("/health", "/v1/models", "/v1/models/demo", "/metrics", "/props", "/slots", "/", "/gradio_api/info", "/config")[i % 9]
    status, data = client.send("GET", path)
    if status != 200:
        raise RuntimeError(f"{path}: {status}: {data[:300]!r}")
    client.good("/tokenize", {"prompt": f"the number {i}"}, b'"tokens"')
    client.good("/v1/chat/completions/input_tokens", client.chat(i, image=i % 2 == 0), b"tokens")


def post(path, has, make):
    return lambda client, i: client.good(path, make(client, i), has)


CHAT = "/v1/chat/completions"
KINDS = {  # name: (how often of 100, what it does)
    "chat": (14, post(CHAT, b'"choices"', lambda c, i: c.chat(i))),
    "chat with a picture": (12, post(CHAT, b'"choices"', lambda c, i: c.chat(i, image=True))),
    "stream": (12, post(CHAT, b"data: [DONE]", lambda c, i: c.chat(i, stream=True, stream_options={"include_usage": True}))),
    "stream with a picture": (8, post(CHAT, b"data: [DONE]", lambda c, i: c.chat(i, stream=True, image=True))),
    "client that leaves": (10, leaver),
    "tool": (5, post(CHAT, b'"tool_calls"', lambda c, i: c.chat(i, tools=[TOOL], tool_choice="required", max_tokens=120))),
    "tool, streamed": (3, post(CHAT, b"data: [DONE]", lambda c, i: c.chat(i, stream=True, tools=[TOOL], max_tokens=60))),
    "schema": (4, schema_answer),
    "grammar": (3, post(CHAT, b'"choices"', lambda c, i: c.chat(i, grammar='root ::= ("a" | "b" | " "){1,20}'))),
    "several with logprobs": (3, post(CHAT, b'"top_logprobs"', lambda c, i: c.chat(i, n=3, logprobs=True, top_logprobs=3))),
    "bad request": (8, bad),
    "predict": (3, post("/api/predict", b'"duration"', lambda c, i: {"data": [f"What is {i}?", c.picture(i), "instruct"]})),
    "upload and predict": (2, uploaded),
    "Gradio's queue": (2, queued),
    "Anthropic's messages": (3, post("/v1/messages", b'"stop_reason"', messages)),
    "the same, streamed": (2, post("/v1/messages", b"message_stop", lambda c, i: messages(c, i, stream=True))),
    "completions": (2, post("/v1/completions", b'"choices"', lambda c, i: {"prompt": [f"{i} and", "one"], "max_tokens": 8, "echo": i % 2 == 0})),
    "responses": (2, post("/v1/responses", b'"output_tokens"', lambda c, i: {"model": "demo", "input": f"What is {i}?", "max_output_tokens": 40,
                                                                             "stream": i % 2 == 0})),
    "the rest": (2, others),
}


def soak(server, first, count, at_once, asked):
    """Requests first to first + count, each of a kind that its number decides."""
    names, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
    numbers, lock, failed = itertools.count(first), threading.Lock(), threading.Event()

    def work(seed):
        client = Client(server.port, first + seed)
        while (i := next(numbers)) < first + count and not failed.is_set():
            name = random.Random(i).choices(names, weights)[0]
            try:
                KINDS[name][1](client, i)
            except Exception as error:  # noqa: BLE001
                failed.set()
                raise RuntimeError(f"request {i}, {name}: {error}") from error
            with lock:
                asked[name] = asked.get(name, 0) + 1
        client.connection.close()

    in_threads(at_once, work, seconds=3600)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", default=str(ROOT / "build/release/qwen3vl"))
    p.add_argument("--requests", type=int, default=10000)
    p.add_argument("--at-once", type=int, default=16)
    a = p.parse_args()
    raise_descriptor_limit(4000)
    with tempfile.TemporaryDirectory() as folder:
        server = start(a.binary, pathlib.Path(folder), "--ctx-size", "1024", "--batch-size", "8", "--image-cache-size", "8M")
        try:
            run(server, a.requests, a.at_once)
        finally:
            server.stop()
    if server.process.returncode != 0:
        sys.exit(f"the server ended with {server.process.returncode}")


def run(server, count, at_once):
    fixed = request("What colour is this, and what is 7 and 8?", 24, False, picture(3))
    expected, asked, measured = ask(server.port, fixed), {}, []
    fill_pool(server)
    time.sleep(0.3)
    at_start = state(server)

    def measure(done):
        if not wait_until(lambda: state(server) == at_start, 20):
            sys.exit(f"after {done} requests not as at the start: {at_start} before, {state(server)} now")
        now = metrics(server.port)
        measured.append((done, server.rss_mb(), int(now["process_open_fds"]), int(now["process_threads"]), time.monotonic()))

    measure(0)
    soak(server, 0, count // 5, at_once, asked)
    measure(count // 5)
    soak(server, count // 5, count - count // 5, at_once, asked)
    measure(count)
    for name in KINDS:
        print(f"{asked.get(name, 0):8d}  {name}")
    print("requests  memory, MB  descriptors  threads  seconds")
    for done, rss, descriptors, threads, at in measured:
        print(f"{done:8d}  {rss:10.1f}  {descriptors:11d}  {threads:7d}  {at - measured[0][4]:7.0f}")
    if ask(server.port, fixed) != expected:
        sys.exit("the answer to the same question is another one now")
    growth = measured[2][1] - measured[1][1]
    if growth > MAX_GROWTH_MB:
        sys.exit(f"memory grew by {growth:.1f} MB after the first fifth, expected at most {MAX_GROWTH_MB}")


if __name__ == "__main__":
    main()
