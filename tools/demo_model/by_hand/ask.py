#!/usr/bin/env python3
"""Asks a running server about the twelve pictures and writes what came, good and bad, as a Markdown table.

    build/release/qwen3vl serve --port 7870 &
    python3 tools/demo_model/by_hand/ask.py http://127.0.0.1:7870/v1 > table.md

Right: the answer holds every expected text as a word (with "any": one of them), or its point lies in the region (scoring.py). Standard
library only.
"""
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import scoring  # noqa: E402
from sides import Server  # noqa: E402


def ask(server, picture, question, thinking):
    """The answer without its reasoning; nothing where the reasoning did not end."""
    text = server.converse({"questions": [question], "thinking": thinking}, [str(picture)])[0]
    return text.rpartition("</think>")[2].strip() if not thinking or "</think>" in text else ""


def right(answer, expected, how):
    if isinstance(expected, dict):
        return scoring.right(answer, "", expected)
    found = [bool(re.search(r"(?<![0-9a-z])" + re.escape(e) + r"(?![0-9a-z])", answer.lower())) if e.isascii() else e in answer for e in expected]
    return any(found) if how == "any" else all(found)


def main():
    server, rows, good = Server(sys.argv[1], "demo", "demo-thinking", None), [], 0
    for name, question, expected, *how in json.loads((HERE / "questions.json").read_text(encoding="utf-8")):
        how = how[0] if how else ""
        answer = ask(server, HERE / f"{name}.png", question, how == "thinking")
        ok = right(answer, expected, how)
        good += ok
        rows.append(f"| [{name}]({name}.png) | {question}{' (thinking)' if how == 'thinking' else ''} | {' '.join(answer.split())} | {'right' if ok else 'wrong'} |")
    print(f"{good} of {len(rows)} answers are right.\n\n| picture | question | answer | |\n|---|---|---|---|\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
