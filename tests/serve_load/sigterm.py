#!/usr/bin/env python3
"""SIGTERM under load, again and again: the program exits with 0 within 10 s, and every client that was there hears its end.

Usage: sigterm.py [--binary build/release/qwen3vl] [--rounds 3]
Each round has streams, whole answers and pictures on the demo model, some short and some that outlast the stop.
"""
import argparse
import json
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

from harness import ROOT, metrics, picture, request, start, threading, wait_until

LIMIT_SECONDS = 10


def read_all(connection):
    data = b""
    while True:
        try:
            piece = connection.recv(1 << 16)
        except OSError:
            return data
        if not piece:
            return data
        data += piece


class Client(threading.Thread):
    """One request whose answer is read to the connection's end."""

    def __init__(self, port, body):
        super().__init__(daemon=True)
        self.stream, self.answer = body["stream"], b""
        data = json.dumps(body).encode()
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n")
        self.connection.sendall(head.encode() + data)
        self.start()

    def run(self):
        self.answer = read_all(self.connection)
        self.connection.close()

    def problem(self, late=False):
        """What is wrong with how the answer ended, or None."""
        head, _, body = self.answer.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.1 ") else 0
        if status == 0:
            return None if late and not self.answer else "no answer at all"
        if status == 200 and b"text/event-stream" in head:
            if not body.endswith(b"0\r\n\r\n"):
                return "the stream was cut off"
            if b"data: [DONE]" not in body and b'"server_shutdown"' not in body:
                return f"the stream ends without [DONE] or an error: {body[-200:]!r}"
            return None
        try:
            answer = json.loads(body)
        except ValueError:
            return f"a torn answer: {body[-200:]!r}"
        good = "choices" in answer if status == 200 else answer.get("error", {}).get("code") in ("server_shutdown", "queue_full")
        return None if good else f"{status}: {body[:200]!r}"

    def kind(self):
        if b'"server_shutdown"' in self.answer:
            return "told of the stop"
        return "refused" if b'"queue_full"' in self.answer else "finished"


def one_round(binary, folder, number, chance):
    drain = chance.choice(["0.3", "1", "2", "5"]) if number else "5"
    server = start(binary, folder, "--drain-timeout", drain)
    clients = []
    for i in range(12):
        endless = i % 3 == 0
        tokens = 100000 if endless else chance.randint(5, 200)
        image = picture(number * 100 + i, 320, 240) if i % 4 == 1 else None
        clients.append(Client(server.port, request(f"Count to {i + 20}.", tokens, i % 2 == 0, image, endless)))

    def known():  # requests that the engine has seen
        now = metrics(server.port)
        return now["qwenvl_num_requests_running"] + now["qwenvl_num_requests_waiting"] + now["qwenvl_request_success_total"]

    if not wait_until(lambda: known() >= len(clients), 30):
        sys.exit(f"round {number}: the engine has seen {known()} of {len(clients)} requests")
    time.sleep(chance.random())
    # Not all of these have been read when the stop comes: they may hear nothing, but nothing torn.
    late = [Client(server.port, request("What is this?", 20, i % 2 == 0, picture(i, 640, 480))) for i in range(4)]
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    try:
        code = server.process.wait(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
        sys.exit(f"round {number}: still there {LIMIT_SECONDS} s after SIGTERM\n{server.log()[-2000:]}")
    seconds = time.monotonic() - begin
    if code != 0:
        sys.exit(f"round {number}: exit code {code}\n{server.log()[-2000:]}")
    for client in clients + late:
        client.join(10)
        problem = client.problem(late=client in late)
        if problem:
            sys.exit(f"round {number}: {problem}\n{server.log()[-2000:]}")
    return seconds, [client.kind() for client in clients]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", default=str(ROOT / "build/release/qwen3vl"))
    p.add_argument("--rounds", type=int, default=3)
    a = p.parse_args()
    chance, slowest, kinds = random.Random(7), 0, {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(a.rounds):
            seconds, ends = one_round(a.binary, pathlib.Path(folder), number, chance)
            slowest = max(slowest, seconds)
            for end in ends:
                kinds[end] = kinds.get(end, 0) + 1
    print(f"{a.rounds} stops under load: all exit 0, the slowest after {slowest:.2f} s; answers: {kinds}")


main()
