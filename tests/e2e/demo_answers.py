#!/usr/bin/env python3
"""All held-out questions of the demo model over HTTP: greedy answers against the reference's, in both precisions.

Usage: demo_answers.py [--binary build/release/qwen3vl] [--eval tests/data/demo_eval]
float32 must equal the reference to the letter in 99 % of the answers, bfloat16 in 95 %.
"""
import argparse
import pathlib
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEAST_EQUAL = {"float32": 0.99, "bfloat16": 0.95}


def start(binary, precision):
    """The server on a free port of its own choice, and that port as its log tells it."""
    server = subprocess.Popen([binary, "serve", "--port", "0", "--precision", precision], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if "ready: open http://" in line:
            return server, int(line.rstrip().rsplit(":", 1)[1])
    sys.exit(f"{binary} ended before it was ready")


def wait_until_up(port):
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("the server does not answer")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", default=str(ROOT / "build/release/qwen3vl"))
    p.add_argument("--eval", default=str(ROOT / "tests/data/demo_eval"))
    a = p.parse_args()
    failed = False
    for precision, least in LEAST_EQUAL.items():
        server, port = start(a.binary, precision)
        try:
            wait_until_up(port)
            print(f"--- {precision}", flush=True)
            failed |= subprocess.call([sys.executable, str(ROOT / "tools/demo/evaluate.py"), "--eval", a.eval, "--url",
                                       f"http://127.0.0.1:{port}/v1", "--reference", f"{a.eval}/reference.jsonl",
                                       "--min-equal", str(least)]) != 0
        finally:
            server.terminate()
            server.wait(timeout=15)
    sys.exit(failed)


main()
