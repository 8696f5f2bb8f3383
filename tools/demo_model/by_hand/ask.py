#!/usr/bin/env python3
"""Asks a running server about the twelve pictures and writes what came, good and bad, as a Markdown table.

    build/release/qwen3vl serve --port 7870 &
    python3 tools/demo_model/by_hand/ask.py http://127.0.0.1:7870 > table.md

Right: the answer holds every expected text (with "any": one of them), or its point lies in the box, given in pixels. Standard library only.
"""
import base64
import json
import pathlib
import re
import struct
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


def ask(url, picture, question, thinking):
    data = base64.b64encode(picture.read_bytes()).decode()
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + data}}, {"type": "text", "text": question}]
    body = {"messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": 200}
    if thinking:
        body["chat_template_kwargs"] = {"enable_thinking": True}
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=120))["choices"][0]["message"]["content"] or ""


def right(picture, answer, expected, how):
    if isinstance(expected, dict):
        width, height = struct.unpack(">II", picture.read_bytes()[16:24])
        point = re.search(r'"point_2d":\s*\[(\d+),\s*(\d+)\]', answer)
        if not point:
            return False
        x, y = int(point[1]) * width / 1000, int(point[2]) * height / 1000
        x1, y1, x2, y2 = expected["click"]
        return x1 <= x <= x2 and y1 <= y <= y2
    found = [bool(re.search(r"(?<![0-9a-z])" + re.escape(e) + r"(?![0-9a-z])", answer.lower())) if e.isascii() else e in answer for e in expected]
    return any(found) if how == "any" else all(found)


def main():
    url, rows, good = sys.argv[1].rstrip("/"), [], 0
    for name, question, expected, *how in json.loads((HERE / "questions.json").read_text(encoding="utf-8")):
        picture, how = HERE / f"{name}.png", how[0] if how else ""
        answer = ask(url, picture, question, how == "thinking")
        ok = right(picture, answer, expected, how)
        good += ok
        rows.append(f"| [{name}]({name}.png) | {question}{' (thinking)' if how == 'thinking' else ''} | {' '.join(answer.split())} | {'right' if ok else 'wrong'} |")
    print("# Twelve pictures from other programs\n\nMade by `make.py`, asked by `ask.py` in words of a first minute; nothing here was trained on.\n"
          f"{good} of {len(rows)} answers are right.\n\n| picture | question | answer | |\n|---|---|---|---|\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
