#!/usr/bin/env python3
"""Asks the demo model's held-out questions and counts the right answers, task by task.

Against a server (Python's standard library only; nothing to install):

    build/release/qwen3vl serve --port 7870 --precision float32 &
    python3 tools/demo_model/evaluate.py --eval tests/data/demo_eval --url http://127.0.0.1:7870/v1 \\
        --reference tests/data/demo_eval/reference.jsonl --min-equal 1.0

In transformers (torch, transformers, Pillow), which is how a reference.jsonl is made:

    python3 tools/demo_model/evaluate.py --eval tests/data/demo_eval --model models/demo --write reference.jsonl

The evaluation set is a folder with `questions.jsonl` and its pictures. A line holds `id`, `picture` (or null), `task`,
`language`, `thinking`, `questions` and `expected` (one of each per turn) and `region` (tools/demo_model/scoring.py says what
it is for). A conversation goes turn by turn with the model's own earlier answers as its history, greedily, with at most
160 tokens an answer.

Thinking. `expected` and reference.jsonl hold what the model generates after the `<think>` that the prompt opens:
reasoning + "\\n</think>\\n\\n" + answer. A server gives reasoning and answer apart, so `rejoin` puts them together
again; where the reasoning was cut by the token limit there is no answer and the text is the reasoning alone. The blank
lines around `</think>` are the one thing the two sides cannot both give: a server drops them, so they are compared in
their usual form.

Exit status: 0; 1 when fewer answers than --min-equal or --min-right asks; 2 when the set or the server cannot be used.
"""
import argparse
import base64
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scoring  # noqa: E402

MAX_TOKENS = 160
CLOSE = re.compile(r"\s*</think>\s*")
MIME = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


class Unusable(Exception):
    """The evaluation set or the server cannot be used; the message says why."""


def read_lines(path):
    """The objects of a .jsonl file."""
    try:
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.strip()]
    except (OSError, ValueError) as e:
        raise Unusable(f"{path}: {e}") from e


def rejoin(message):
    """One text from a server's message, in the form of reference.jsonl."""
    reasoning, content = message.get("reasoning_content"), message.get("content") or ""
    if reasoning is None:
        return content
    return f"{reasoning}\n</think>\n\n{content}" if content else reasoning


def normal(text):
    """The form that both sides can give: `</think>` with its usual blank lines, nothing after the end."""
    return CLOSE.sub("\n</think>\n\n", text, count=1).strip() if "</think>" in text else text.strip()


class Server:
    """Answers of a server that speaks the OpenAI chat API."""

    def __init__(self, url, model, thinking_model, api_key):
        self.url = url.rstrip("/") + "/chat/completions"
        self.model, self.thinking_model = model, thinking_model
        self.headers = {"Content-Type": "application/json"}
        if api_key:
            self.headers["Authorization"] = "Bearer " + api_key

    def converse(self, row, picture):
        """The answers to all turns of one conversation; picture is a path or None."""
        history, answers = [], []
        for turn, question in enumerate(row["questions"]):
            content = question
            if turn == 0 and picture:
                with open(picture, "rb") as f:
                    data = base64.b64encode(f.read()).decode()
                mime = MIME[os.path.splitext(picture)[1].lower()]
                content = [
                    {"type": "image_url", "image_url": {"url": f"data:{mime};base64,{data}"}},
                    {"type": "text", "text": question},
                ]
            history.append({"role": "user", "content": content})
            message = self._complete(history, row["thinking"])
            answers.append(rejoin(message))
            # Earlier reasoning never goes back into a prompt: the Thinking template drops it.
            history.append({"role": "assistant", "content": message.get("content") or ""})
        return answers

    def _complete(self, messages, thinking):
        body = {
            "model": self.thinking_model if thinking else self.model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
        }
        request = urllib.request.Request(self.url, json.dumps(body).encode(), self.headers)
        try:
            with urllib.request.urlopen(request, timeout=600) as reply:
                return json.load(reply)["choices"][0]["message"]
        except urllib.error.HTTPError as e:
            raise Unusable(f"{self.url}: {e.code}: {e.read(2000).decode(errors='replace')}") from e
        except (OSError, ValueError, KeyError, IndexError) as e:
            raise Unusable(f"{self.url}: {e!r}") from e


class Transformers:
    """Answers of a checkpoint in transformers: float32 and eager attention, the reference's arithmetic."""

    def __init__(self, folder):
        import torch
        from PIL import Image
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.torch, self.image = torch, Image
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()

    def converse(self, row, picture):
        history, answers = [], []
        for turn, question in enumerate(row["questions"]):
            content = [{"type": "text", "text": question}]
            if turn == 0 and picture:
                content.insert(0, {"type": "image", "image": self.image.open(picture).convert("RGB")})
            history.append({"role": "user", "content": content})
            inputs = self.processor.apply_chat_template(
                history,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                enable_thinking=row["thinking"],
            )
            with self.torch.no_grad():
                out = self.model.generate(**inputs, max_new_tokens=MAX_TOKENS, do_sample=False)
            text = self.processor.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            answers.append(text)
            spoken = CLOSE.split(text, 1)[-1] if row["thinking"] else text
            history.append({"role": "assistant", "content": [{"type": "text", "text": spoken}]})
        return answers


def compare(rows, given, reference, shown):
    """The share of conversations whose every answer equals the reference's; prints the rest."""
    ours = [(r, given[r["id"]], reference[r["id"]]["answers"]) for r in rows if r["id"] in reference]
    if not ours:
        raise Unusable("the reference holds none of the questions asked")
    differing = [(r, a, b) for r, a, b in ours if [normal(x) for x in a] != [normal(x) for x in b]]
    share = 1 - len(differing) / len(ours)
    print(f"equal to the reference: {len(ours) - len(differing)} / {len(ours)} conversations ({100 * share:.2f} %)")
    for row, a, b in differing[:shown]:
        print(f"  differs: {row['id']} ({row['task']})\n    here      {a!r}\n    reference {b!r}")
    if len(differing) > shown:
        print("  and", ", ".join(r["id"] for r, _, _ in differing[shown:]))
    return share


def run(args):
    rows = [
        r for r in read_lines(os.path.join(args.eval, "questions.jsonl")) if not args.tasks or r["task"] in args.tasks
    ]
    rows = rows[: args.limit] if args.limit else rows
    if not rows:
        raise Unusable(f"{args.eval}: no questions to ask")
    side = Server(args.url, args.name, args.thinking_name, args.api_key) if args.url else Transformers(args.model)
    tally, given, started = scoring.Tally(), {}, time.time()
    out = open(args.write, "w", encoding="utf-8") if args.write else None
    for row in rows:
        picture = os.path.join(args.eval, row["picture"]) if row["picture"] else None
        answers = given[row["id"]] = side.converse(row, picture)
        good = scoring.conversation_right(
            [normal(a) for a in answers], [normal(e) for e in row["expected"]], row["region"]
        )
        tally.add(row["task"], good)
        if out:
            out.write(json.dumps({"id": row["id"], "answers": answers, "right": good}, ensure_ascii=False) + "\n")
        if args.verbose and not good:
            print(
                f"  wrong: {row['id']} ({row['task']}) {row['questions']}\n    answer   {answers!r}\n    expected {row['expected']!r}"
            )
    if out:
        out.close()
    print("\n".join(tally.lines()))
    print(f"{len(rows)} conversations in {time.time() - started:.1f} s")
    good, asked = tally.total()
    status = 0 if good >= args.min_right * asked else 1
    if args.reference:
        reference = {r["id"]: r for r in read_lines(args.reference)}
        if compare(rows, given, reference, args.show) < args.min_equal:
            status = 1
    return status


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--eval", required=True, help="folder with questions.jsonl and pictures")
    side = p.add_mutually_exclusive_group(required=True)
    side.add_argument("--url", help="an OpenAI-compatible server, such as http://127.0.0.1:7860/v1")
    side.add_argument("--model", help="a checkpoint's folder, to be run in transformers")
    p.add_argument("--name", default="demo", help="the server's model for plain questions")
    p.add_argument("--thinking-name", default="demo-thinking", help="the server's model for thinking questions")
    p.add_argument(
        "--api-key", default=os.environ.get("QWEN3VL_API_KEY"), help="bearer token (default: $QWEN3VL_API_KEY)"
    )
    p.add_argument("--reference", help="a reference.jsonl to compare with, to the letter")
    p.add_argument("--min-equal", type=float, default=0.0, help="smallest share of equal conversations, 0 to 1")
    p.add_argument("--min-right", type=float, default=0.0, help="smallest share of right conversations, 0 to 1")
    p.add_argument("--write", help="write the answers here, in the form of reference.jsonl")
    p.add_argument("--tasks", nargs="*", help="only these tasks")
    p.add_argument("--limit", type=int, default=0, help="only so many questions")
    p.add_argument("--show", type=int, default=10, help="how many differences to print in full")
    p.add_argument("--verbose", action="store_true", help="print every wrong answer")
    try:
        sys.exit(run(p.parse_args()))
    except Unusable as e:
        print(f"evaluate.py: {e}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
