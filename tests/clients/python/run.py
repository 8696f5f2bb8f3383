#!/usr/bin/env python3
"""The Python packages `openai` and `anthropic` against the program with its demonstration model.

Usage: run.py [--binary build/release/qwen3vl]
A package that is not installed is skipped. QVL_PYTHON_CHROOT names a folder with a Debian in it that has them: its Python
runs the tests then, the program runs here.
"""
import argparse
import base64
import os
import pathlib
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
KEY = "sesame-open-1234567890"
PICTURE = ROOT / "models/demo/samples/shapes.png"


def start(binary):
    flags = ["--model", "demo", "--port", "0", "--api-key", KEY]
    server = subprocess.Popen([binary, "serve", *flags], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    for line in server.stderr:
        if "ready: open http://" in line:
            threading.Thread(target=server.stderr.read, daemon=True).start()  # a full pipe would stop the server
            return server, line.rstrip().rsplit(" ", 1)[1]
    sys.exit(f"{binary} ended before it was ready")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", default=str(ROOT / "build/release/qwen3vl"))
    a = p.parse_args()
    chroot = os.environ.get("QVL_PYTHON_CHROOT")
    python = ["chroot", chroot, "python3"] if chroot else [sys.executable]
    server, url = start(a.binary)
    failed = False
    try:
        for package in ("openai", "anthropic"):
            if subprocess.run([*python, "-c", f"import {package}"], capture_output=True).returncode != 0:
                print(f"skipped: the Python package {package} is not installed (QVL_PYTHON_CHROOT names where it is)")
                continue
            env = {**os.environ, "QVL_URL": url, "QVL_KEY": KEY, "QVL_PICTURE": base64.b64encode(PICTURE.read_bytes()).decode()}
            # By standard input: the other root does not see this folder.
            test = (HERE / f"{package}_test.py").read_text()
            failed |= subprocess.run([*python, "-"], input=test, text=True, env=env, timeout=120).returncode != 0
    finally:
        server.terminate()
        server.wait(timeout=15)
    sys.exit(failed)


main()
