"""Runs llama.cpp's own programs for compare.py: llama-bench for text, llama-server for a picture to the first token."""
import base64
import json
import re
import socket
import struct
import subprocess
import time
import urllib.request
import zlib

TEXT_TOKENS = 20


def text(inside, model, log, *, threads, prompts, generate, flash, limit):
    """{("prefill", n) or ("decode", n): tokens/s}, one run of each after 16 tokens that touch every weight."""
    command = inside + ["llama-bench", "-m", model, "-t", str(threads), "-p", ",".join(map(str, [16] + prompts)),
                        "-n", str(generate), "-r", "1", "--no-warmup", "-fa", flash, "-o", "jsonl"]
    with open(log, "w") as errors:
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=limit, check=True).stdout
    results = {}
    for row in map(json.loads, out.splitlines()):
        if row["n_prompt"] != 16:
            results["prefill" if row["n_prompt"] else "decode", row["n_prompt"] or row["n_gen"]] = row["avg_ts"]
    return command, results


def better_flash(inside, model, log, threads, limit):
    """"on" or "off", whichever prefills faster here."""
    command = inside + ["llama-bench", "-m", model, "-t", str(threads), "-p", "128", "-n", "0", "-r", "1", "-fa", "off,on",
                        "-o", "jsonl"]
    with open(log, "w") as errors:
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=limit, check=True).stdout
    speed = {"on" if row["flash_attn"] in (1, True, "on") else "off": row["avg_ts"] for row in map(json.loads, out.splitlines())}
    return max(speed, key=speed.get)


def png(width, height):
    """A picture of gradients and squares as a data URI."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # no filter
        for x in range(width):
            rows += bytes((x * 255 // width, y * 255 // height, (x // 64 + y // 64) % 2 * 200))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows), 1)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(file).decode()


class Server:
    def __init__(self, command, log, limit):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url, self.limit, self.command = f"http://127.0.0.1:{port}", limit, command + ["--host", "127.0.0.1", "--port", str(port)]
        with open(log, "w") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out)

    def __enter__(self):
        end = time.time() + self.limit
        while True:
            try:
                urllib.request.urlopen(self.url + "/health", timeout=5).read()
                return self
            except OSError:
                if time.time() > end or self.process.poll() is not None:
                    self.__exit__()
                    raise RuntimeError(f"the server did not start, see {log}") from None
                time.sleep(0.2)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        return urllib.request.urlopen(request, timeout=self.limit)

    def tokens(self, content):
        return json.load(self.post("/tokenize", {"content": content, "parse_special": True}))["tokens"]

    def question(self):
        """Words that make TEXT_TOKENS tokens together with the chat template's and the picture's two marks."""
        for words in range(1, TEXT_TOKENS):
            text_ = " ".join("abcdefghijklmnopqrstuvwxyz"[:words])
            if len(self.tokens(f"<|im_start|>user\n<|vision_start|><|vision_end|>{text_}<|im_end|>\n<|im_start|>assistant\n")) == TEXT_TOKENS:
                return text_
        raise RuntimeError("no question of the right length")


def encode_seconds(log):
    """Time of the tower, by llama-server's log; None where its lines look different."""
    began = None
    for line in open(log, errors="replace"):
        m = re.match(r"(\d+)\.(\d+)\.(\d+)\.(\d+) ", line)
        now = int(m[1]) * 60 + int(m[2]) + int(m[3]) / 1e3 + int(m[4]) / 1e6 if m else None
        if "encoding mtmd batch" in line:
            began = now
        elif "decoding image batch 1/" in line and began is not None and now is not None:
            return now - began
    return None


def picture(inside, model, tower, log, *, threads, width, height, flash, limit):
    """(command, seconds to the first token, seconds of the tower or None, prompt tokens): a fresh server's first picture."""
    command = inside + ["llama-server", "-m", model, "--mmproj", tower, "-t", str(threads), "-c", "4096", "-np", "1", "-fa", flash,
                        "--cache-ram", "0", "-lv", "4", "--log-timestamps"]
    with Server(command, log, limit) as server:
        fixed = {"cache_prompt": False, "temperature": 0, "ignore_eos": True, "logit_bias": [[server.tokens("a")[0], 100]]}
        server.post("/completion", {**fixed, "prompt": server.tokens("a b c d e f g h"), "n_predict": 2}).read()  # touches the weights
        content = [{"type": "image_url", "image_url": {"url": png(width, height)}}, {"type": "text", "text": server.question()}]
        body = {**fixed, "messages": [{"role": "user", "content": content}], "max_tokens": 2, "stream": True,
                "stream_options": {"include_usage": True}}
        start, first, tokens = time.time(), None, None
        for line in server.post("/v1/chat/completions", body):
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if first is None and any(c["delta"].get("content") for c in event["choices"]):
                first = time.time() - start
            tokens = (event.get("usage") or {}).get("prompt_tokens", tokens)
    if first is None:
        raise RuntimeError("no text came")
    return command, first, encode_seconds(log), tokens
