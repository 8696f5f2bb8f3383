"""A server under load: what the scripts of this folder share. Standard library only, loopback only."""

import base64
import http.client
import json
import pathlib
import re
import resource
import struct
import sys
import threading
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bad_inputs"))
from program import Server  # noqa: E402


def raise_descriptor_limit(wanted):
    """For this process and the server that it starts; returns what there is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def start(binary, folder, *flags):
    return Server(binary, "--threads", "2", "--image-cache-dir", "off", *flags, log_path=pathlib.Path(folder) / "server.log")


def picture(seed, width=96, height=64):
    """A PNG of one colour with a rectangle, as a data URI; each seed is another one."""
    back, front = bytes((seed * 37 % 256, seed * 91 % 256, seed // 256 % 256)), bytes((255 - seed % 256, 40, 200))
    rows = b"".join(b"\0" + b"".join(front if 20 < y < 44 and 30 < x < 70 else back for x in range(width)) for y in range(height))
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    png = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
           chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return "data:image/png;base64," + base64.b64encode(png).decode()


def request(text, tokens, stream, image=None, ignore_eos=False):
    content = [{"type": "text", "text": text}]
    if image is not None:
        content.insert(0, {"type": "image_url", "image_url": {"url": image}})
    return {"messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": tokens, "stream": stream,
            "ignore_eos": ignore_eos}


def ask(port, body, timeout=120):
    """The answer's text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        data = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{reply.status}: {data[:300]!r}")
        return json.loads(data)["choices"][0]["message"]["content"]
    finally:
        connection.close()


def metrics(port):
    """Each sample of /metrics by its name, labels left out and summed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    out = {}
    for name, value in re.findall(r"^([a-z0-9_:]+)(?:\{.*\})? (\S+)$", text, re.M):
        out[name] = out.get(name, 0) + float(value)
    return out


def wait_until(condition, seconds, step=0.05):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(step)
    return condition()


def in_threads(count, work, seconds=300):
    """work(i) for each i at once, at most so long; the first failure is raised here."""
    failures = []

    def run(i):
        try:
            work(i)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    if failures:
        raise failures[0]
