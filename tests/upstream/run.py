#!/usr/bin/env python3
"""`qwen3vl serve --upstream` in front of real engines: another qwen3vl, llama-server, transformers serve.

  tests/upstream/run.py [--binary build/release/qwen3vl] [--require qwen3vl,llama-server,transformers]

The last two come from a Debian folder named by QVL_REFERENCE_ROOT (chroot; needs root) with llama.cpp-tools, python3-gguf,
python3-numpy, and python3-transformers with python3-fastapi, python3-uvicorn and python3-accelerate; what is missing there is
reported as skipped, unless --require names it. The model is the demonstration model; llama-server gets its language model as
GGUF. Greedy answers through our server equal the engine's own, streamed and whole. Standard library only. Exit 1 if anything
fails.
"""
import argparse
import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "models/demo"
QUESTION = "What is 2 + 2?"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Skip(Exception):
    pass


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


class Process:
    """A server and its log; `ready` is asked until it answers 200."""

    def __init__(self, name, command, port, ready="/health", limit=180, log_folder="/tmp"):
        self.name, self.port, self.url = name, port, f"http://127.0.0.1:{port}"
        self.log = pathlib.Path(log_folder) / f"qvl_upstream_{name}_{port}.log"
        with open(self.log, "w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        end = time.time() + limit
        while True:
            try:
                urllib.request.urlopen(self.url + ready, timeout=5).read()
                return
            except OSError:
                if time.time() > end or self.process.poll() is not None:
                    self.stop()
                    raise Failure(f"{name} did not start: {self.log.read_text(errors='replace')[-1500:]}") from None
                time.sleep(0.2)

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.unlink(missing_ok=True)


def call(url, path, body=None, key=None, timeout=120):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, data, headers), timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def ask(url, model, content=QUESTION, path="/v1/chat/completions", **more):
    body = {"model": model, "messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": 24} | more
    return call(url, path, body)


def joined(events):
    """(text, whether the end was told, whether [DONE] came) of a stream of chat events."""
    text, finish, done = "", None, False
    for line in events.splitlines():
        if line == "data: [DONE]":
            done = True
        elif line.startswith("data: "):
            event = json.loads(line[6:])
            expect("error" not in event, f"an error in the stream: {line}")
            for choice in event.get("choices", []):
                text += choice["delta"].get("content") or ""
                finish = choice.get("finish_reason") or finish
    return text, finish, done


def check_engine(binary, engine, model, picture, report):
    """What must be the same with us before it."""
    port = free_port()
    with Process("front", [binary, "serve", "--port", str(port), "--upstream", engine.url], port) as front:
        health = json.loads(call(front.url, "/health")[1])
        expect(health["upstreams"] == {"alive": 1, "total": 1}, f"/health: {health}")
        ids = [m["id"] for m in json.loads(call(front.url, "/v1/models")[1])["data"]]
        expect(model in ids, f"/v1/models lists {ids}, not {model}")
        status, own = ask(engine.url, model)
        expect(status == 200, f"the engine itself answers {status}: {own[:300]}")
        own = json.loads(own)["choices"][0]["message"]["content"]
        status, through = ask(front.url, model)
        expect(status == 200, f"whole answer: {status} {through[:300]}")
        expect(json.loads(through)["choices"][0]["message"]["content"] == own, f"other text: {own!r} {through[:300]}")
        streamed, _, _ = joined(ask(engine.url, model, stream=True)[1])  # transformers takes the reasoning out of streams only
        status, events = ask(front.url, model, stream=True)
        text, finish, done = joined(events)
        expect(status == 200 and text == streamed and finish and done, f"stream: {status} {text!r} {streamed!r} {finish} {done}")
        status, predicted = call(front.url, "/api/predict", {"data": [QUESTION, None, None, 0, None, 24]})
        expect(status == 200 and json.loads(predicted)["data"] == [own], f"/api/predict: {status} {predicted[:300]}")
        bad_status, _ = call(engine.url, "/v1/chat/completions", {"model": model, "messages": "no list"})
        status, error = call(front.url, "/v1/chat/completions", {"model": model, "messages": "no list"})
        expect(status == bad_status and "message" in json.loads(error)["error"], f"errors: {bad_status} {status} {error[:300]}")
        status, error = ask(front.url, model, [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}])
        expect(status == 400 and "remote_media_disabled" in error, f"a URL got through: {status} {error[:300]}")
        if picture:
            data = base64.b64encode((DEMO / "samples/shapes.png").read_bytes()).decode()
            parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + data}},
                     {"type": "text", "text": "How many objects can you see in the picture?"}]
            seen, _, _ = joined(ask(engine.url, model, parts, stream=True)[1])
            text, _, _ = joined(ask(front.url, model, parts, stream=True)[1])
            expect(text == seen, f"picture: {seen!r} {text!r}")
        leave(front.url, model)
        engine.stop()
        deadline = time.time() + 20
        while call(front.url, "/health")[0] != 503:
            expect(time.time() < deadline, "/health stays 200 without its engine")
            time.sleep(0.2)
        status, error = ask(front.url, model)
        expect(status == 503 and "upstream_down" in error, f"without its engine: {status} {error[:300]}")
        front.process.send_signal(signal.SIGTERM)
        expect(front.process.wait(10) == 0, "the front does not end with 0")
    report(f"ok, {own!r}")


def leave(url, model):
    """A client that reads one event and goes; the next one is served."""
    body = json.dumps({"model": model, "stream": True, "max_tokens": 400, "messages": [{"role": "user", "content": "Count."}]})
    host = url.removeprefix("http://")
    with socket.create_connection(tuple(host.split(":")), timeout=60) as s:
        s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        s.recv(100)
    status, answer = ask(url, model)
    expect(status == 200, f"after a client left: {status} {answer[:300]}")


# ---- the engines ------------------------------------------------------------------------------------------------------

def reference_root():
    root = os.environ.get("QVL_REFERENCE_ROOT", "")
    if not root or not pathlib.Path(root, "usr/bin").is_dir():
        raise Skip("QVL_REFERENCE_ROOT names no folder")
    if os.geteuid() != 0:
        raise Skip("chroot needs root")
    return pathlib.Path(root)


def with_qwen3vl(binary, report):
    port = free_port()
    command = [binary, "serve", "--model", "demo", "--port", str(port)]
    with Process("qwen3vl", command, port) as engine:
        check_engine(binary, engine, "demo", True, report)


GGUF = """
import json, sys
sys.path.insert(0, "/srv/qvl_upstream")
import gguf, llama_quantised as q
config = json.load(open("/srv/qvl_upstream/demo/config.json"))
tensors = {n: x for n, x in q.read_model("/srv/qvl_upstream/demo").items() if not n.startswith(q.VISION)}
q.write_gguf("/srv/qvl_upstream/demo.gguf", "/srv/qvl_upstream/demo", config, tensors)
"""


def with_llama_server(binary, report):
    root = reference_root()
    if not (root / "usr/bin/llama-server").exists():
        raise Skip("no llama-server there")
    made = subprocess.run(["chroot", root, "python3", "-c", GGUF], capture_output=True, text=True)
    if made.returncode != 0:
        raise Skip(f"no GGUF file could be made: {made.stderr.strip().splitlines()[-1:]}")
    port = free_port()
    command = ["chroot", root, "llama-server", "-m", "/srv/qvl_upstream/demo.gguf", "--alias", "demo-gguf", "--jinja",
               "--chat-template-file", "/srv/qvl_upstream/demo/chat_template.jinja", "-c", "2048", "-np", "2", "-t", "2",
               "--host", "127.0.0.1", "--port", str(port)]
    with Process("llama-server", command, port) as engine:
        check_engine(binary, engine, "demo-gguf", False, report)


def with_transformers(binary, report):
    root = reference_root()
    if not (root / "usr/bin/transformers").exists():
        raise Skip("no transformers there")
    found = subprocess.run(["chroot", root, "python3", "-c", "import fastapi, uvicorn, accelerate, torch"], capture_output=True, text=True)
    if found.returncode != 0:
        raise Skip(found.stderr.strip().splitlines()[-1])
    # It serves what a hub's cache holds: the demonstration model as one of its repositories.
    repository = root / "srv/qvl_upstream/hub/models--local--demo"
    snapshot = repository / "snapshots" / ("0" * 40)
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("0" * 40)
    shutil.copytree(root / "srv/qvl_upstream/demo", snapshot)
    port = free_port()
    command = ["chroot", root, "env", "HF_HUB_OFFLINE=1", "HF_HUB_CACHE=/srv/qvl_upstream/hub", "HOME=/srv/qvl_upstream", "transformers",
               "serve", "local/demo", "--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
    with Process("transformers", command, port, limit=300) as engine:
        check_engine(binary, engine, "local/demo", True, report)


ENGINES = {"qwen3vl": with_qwen3vl, "llama-server": with_llama_server, "transformers": with_transformers}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", default=str(ROOT / "build/release/qwen3vl"))
    p.add_argument("--require", default="qwen3vl", help="engines that must not be skipped")
    p.add_argument("--only", choices=ENGINES)
    a = p.parse_args()
    folder = pathlib.Path(os.environ.get("QVL_REFERENCE_ROOT") or "/nonexistent", "srv/qvl_upstream")
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir():
        shutil.copytree(DEMO, folder / "demo", ignore=shutil.ignore_patterns("samples"))
        shutil.copy(ROOT / "bench/quality/llama_quantised.py", folder)
    failed = 0
    for name, run in ENGINES.items():
        if a.only and name != a.only:
            continue
        start = time.time()
        try:
            run(a.binary, lambda text: print(f"{name:14} {time.time() - start:5.1f} s  {text}", flush=True))
        except Skip as why:
            failed += name in a.require.split(",")
            print(f"{name:14} skipped: {why}", flush=True)
        except (Failure, OSError, ValueError, KeyError) as error:
            failed += 1
            print(f"{name:14} FAILED: {error!r}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
