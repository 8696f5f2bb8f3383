#!/usr/bin/env python3
"""Many clients at once on the demo model: what they cost, what they leave behind, and that they do not see each other.

Usage: load.py [--binary build/release/qwen3vl] [--long]
crowd        streams and idle connections: /health's 99th percentile, memory growth under 60 MB
leavers      clients that leave at random moments: requests, blocks, descriptors and threads are back at the start, memory nearly
determinism  16 clients at once get the bytes that each gets alone
--long: 200 streams, 2,000 idle connections, 1,000 leavers.
"""
import argparse
import asyncio
import json
import multiprocessing
import pathlib
import random
import socket
import sys
import tempfile
import time

from harness import ROOT, ask, in_threads, metrics, picture, raise_descriptor_limit, request, start, wait_until

MAX_GROWTH_MB = 60
MAX_LEFT_MB = 30  # by leavers: encoded pictures stay, up to --image-cache-size, and what the allocator keeps


def measure_health(port, seconds, result):
    """In a process of its own, so that the clients' work here does not count."""
    took, until = [], time.monotonic() + seconds
    head = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        while time.monotonic() < until:
            begin = time.monotonic()
            connection.sendall(head)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                break
            took.append((time.monotonic() - begin) * 1e3)
            time.sleep(0.01)
    result.put(sorted(took))


async def idle(port, go):
    """Asks once and stays, asking again before the server would close it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    while True:
        writer.write(head)
        await reader.readuntil(b'{"status":"ok"}')
        try:
            await asyncio.wait_for(go.wait(), 6)
            break
        except asyncio.TimeoutError:
            pass
    writer.close()


async def stream(port, i, counts):
    body = json.dumps(request(f"Say something about the number {i}.", 40, True, picture(i) if i % 10 == 0 else None, True))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write((f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
                  f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
    data = await reader.read(-1)
    writer.close()
    counts["done" if b"data: [DONE]" in data else "refused" if b'"queue_full"' in data else "other"] += 1


async def crowd(port, streams, connections, pid_rss):
    go, counts, result = asyncio.Event(), {"done": 0, "refused": 0, "other": 0}, multiprocessing.Queue()
    idles = []
    for begin in range(0, connections, 100):
        idles += [asyncio.create_task(idle(port, go)) for _ in range(begin, min(begin + 100, connections))]
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    probe = multiprocessing.Process(target=measure_health, args=(port, 6, result), daemon=True)
    probe.start()
    peak = 0
    tasks = [asyncio.create_task(stream(port, i, counts)) for i in range(streams)]
    begin = time.monotonic()
    while any(not task.done() for task in tasks) or probe.is_alive():
        peak = max(peak, pid_rss())
        if time.monotonic() - begin > 240:
            sys.exit("the streams do not end")
        await asyncio.sleep(0.1)
        if not probe.is_alive() and all(task.done() for task in tasks):
            break
    broken = [task for task in idles if task.done()]
    go.set()
    await asyncio.gather(*tasks, *idles)
    return peak, len(broken), counts, result.get()


def run_crowd(server, long):
    streams, connections = (200, 2000) if long else (60, 400)
    room = raise_descriptor_limit(connections + streams + 200) - streams - 200
    connections = min(connections, room)
    in_threads(8, lambda i: ask(server.port, request("Warm up.", 8, False, picture(9000 + i))))
    before = server.rss_mb()
    peak, broken, counts, took = asyncio.run(crowd(server.port, streams, connections, server.rss_mb))
    p99 = took[int(len(took) * 0.99)]
    print(f"crowd: {streams} streams ({counts}), {connections} idle connections; /health p50 {took[len(took) // 2]:.1f} ms, "
          f"p99 {p99:.1f} ms, max {took[-1]:.1f} ms of {len(took)}; memory {before:.0f} -> {peak:.0f} MB")
    if broken or counts["other"]:
        sys.exit(f"{broken} idle connections were closed, {counts['other']} streams broke")
    if peak - before > MAX_GROWTH_MB:
        sys.exit(f"memory grew by {peak - before:.0f} MB, expected at most {MAX_GROWTH_MB}")


def leave(port, i, chance):
    body = json.dumps(request(f"Tell a long story, number {i}.", 2000, i % 3 != 0, picture(i) if i % 5 == 0 else None, True))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    data = (head + body).encode()
    if i % 7 == 0:
        data = data[:chance.randrange(len(data))]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(data)
        time.sleep(chance.random() * 0.3)


def state(server):
    now = metrics(server.port)
    return {"running": now["qwenvl_num_requests_running"], "waiting": now["qwenvl_num_requests_waiting"],
            "kv": now["qwenvl_kv_cache_usage_perc"], "descriptors": now["process_open_fds"], "threads": now["process_threads"]}


def fill_pool(server):
    """Touches every page of keys and values, which are reserved at the start and stay: what grows later is something else."""
    def ask_long(t):
        for i in range(t, 64, 8):
            ask(server.port, request(f"{i} " * 300, 1, False))
    in_threads(8, ask_long)


def run_leavers(server, long):
    count, at_once = (1000, 40) if long else (160, 20)
    time.sleep(0.3)  # connections of the last part are closed by then
    before, rss = state(server), server.rss_mb()
    begin = time.monotonic()
    in_threads(at_once, lambda t: [leave(server.port, i, random.Random(i)) for i in range(t, count, at_once)])
    left = time.monotonic()
    back = wait_until(lambda: state(server) == before, 20)
    after = server.rss_mb()
    print(f"leavers: {count} in {left - begin:.1f} s, all freed {time.monotonic() - left:.2f} s after the last; "
          f"memory {rss:.0f} -> {after:.0f} MB; {int(metrics(server.port)['qwenvl_request_success_total'])} requests reached the engine")
    if not back:
        sys.exit(f"not back at the start: {before} before, {state(server)} after")
    if after - rss > MAX_LEFT_MB:
        sys.exit(f"leavers left {after - rss:.0f} MB behind, expected at most {MAX_LEFT_MB}")


def run_determinism(server):
    bodies = [request(f"What colour is this, and what is {i} and {i + 1}?", 24, False, picture(500 + i) if i % 2 else None)
              for i in range(16)]
    alone = [ask(server.port, body) for body in bodies]
    together = [None] * len(bodies)
    for _ in range(2):
        in_threads(len(bodies), lambda i: together.__setitem__(i, ask(server.port, bodies[i])))
        if together != alone:
            sys.exit("an answer in company differs from the one alone: " +
                     "; ".join(f"{a!r} and {b!r}" for a, b in zip(alone, together) if a != b))
    print(f"determinism: {len(bodies)} clients at once, twice: every answer as alone")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", default=str(ROOT / "build/release/qwen3vl"))
    p.add_argument("--long", action="store_true")
    a = p.parse_args()
    raise_descriptor_limit(6000)
    with tempfile.TemporaryDirectory() as folder:
        server = start(a.binary, pathlib.Path(folder), "--ctx-size", "1024", "--batch-size", "16", "--max-queue", "400")
        try:
            run_determinism(server)
            fill_pool(server)
            run_leavers(server, a.long)
            run_crowd(server, a.long)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
