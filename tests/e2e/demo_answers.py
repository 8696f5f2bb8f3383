#!/usr/bin/env python3
"""All held-out questions of the demo model over HTTP: greedy answers against the reference's, in each precision.

Usage: demo_answers.py [--binary build/release/qwen3vl] [--eval tests/data/demo_eval] [--modes float32,bfloat16,int8,int4]
float32 must equal the reference to the letter in 99 % of the answers, bfloat16 in 95 %, int8 in 90 %, int4 in 80 %.
"""
import argparse
import pathlib
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEAST_EQUAL = {"float32": 0.99, "bfloat16": 0.95, "int8": 0.90, "int4": 0.80}


def start(binary, mode):
    """The server on a free port of its own choice, and that port as its log tells it."""
    how = ["--precision", mode] if mode in ("float32", "bfloat16") else ["--quantize", mode, "--packed-cache", "off"]
    server = subprocess.Popen([binary, "serve", "--port", "0", *how], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if "ready: open http://" in line:
            threading.Thread(target=server.stderr.read, daemon=True).start()  # a full pipe would stop the server
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
    p.add_argument("--modes", default=",".join(LEAST_EQUAL))
    a = p.parse_args()
    failed = False
    for mode in a.modes.split(","):
        least = LEAST_EQUAL[mode]
        server, port = start(a.binary, mode)
        try:
            wait_until_up(port)
            print(f"--- {mode}", flush=True)
            failed |= subprocess.call([sys.executable, str(ROOT / "tools/demo_model/evaluate.py"), "--eval", a.eval, "--url",
                                       f"http://127.0.0.1:{port}/v1", "--reference", f"{a.eval}/reference.jsonl",
                                       "--min-equal", str(least)]) != 0
        finally:
            server.terminate()
            server.wait(timeout=15)
    sys.exit(failed)


main()
