#!/usr/bin/env python3
"""Asks the demo model's held-out questions and counts the right answers, task by task.

Against a server (Python's standard library only; nothing to install):

    build/release/qwen3vl serve --port 7870 --precision float32 &
    python3 tools/demo_model/evaluate.py --eval tests/data/demo_eval --url http://127.0.0.1:7870/v1 \\
        --reference tests/data/demo_eval/reference.jsonl --min-equal 1.0

In transformers (torch, transformers, Pillow), which is how a reference.jsonl is made:

    python3 tools/demo_model/evaluate.py --eval tests/data/demo_eval --model models/demo --write reference.jsonl

The held-out set with its parts, each question also asked about another picture of its kind, in two precisions:

    python3 tools/demo_model/evaluate.py --eval tools/demo_model/eval --max-tokens 320 --control --table eval.md --json eval.json \\
        --url float32=http://127.0.0.1:7870/v1 int8=http://127.0.0.1:7871/v1

An evaluation set is a folder with `questions.jsonl` and its pictures. A line holds `id`, `picture` (null, a file's name, or
a list: pictures together, or with `fps` a video's frames), `task`, `language`, `thinking`, `questions` and `expected` (one
of each per turn), `region` (scoring.py says what it is for), and may hold `part` and `control` (eval_set.py). A
conversation goes turn by turn with the model's own earlier answers as its history, greedily, with at most --max-tokens an
answer. A control is asked on the first of several servers only.

Thinking. `expected` and reference.jsonl hold what the model generates after the `<think>` that the prompt opens:
reasoning + "\\n</think>\\n\\n" + answer. A server gives reasoning and answer apart, so `rejoin` puts them together
again; where the reasoning was cut by the token limit there is no answer and the text is the reasoning alone. The blank
lines around `</think>` are the one thing the two sides cannot both give: a server drops them, so they are compared in
their usual form.

Exit status: 0; 1 when fewer answers than --min-equal or --min-right asks; 2 when the set or the server cannot be used.
"""
import argparse
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import report  # noqa: E402
import scoring  # noqa: E402
from sides import MAX_TOKENS, Server, Transformers, Unusable, normal  # noqa: E402


def read_lines(path):
    """The objects of a .jsonl file."""
    try:
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.strip()]
    except (OSError, ValueError) as e:
        raise Unusable(f"{path}: {e}") from e


def shown_at(folder, picture):
    """Paths of what a row's `picture` or `control` names."""
    names = [picture] if isinstance(picture, str) else picture or []
    return [os.path.join(folder, name) for name in names]


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


def is_right(row, answers):
    return scoring.conversation_right([normal(a) for a in answers], [normal(e) for e in row["expected"]], row["region"])


def ask(args, rows, name, side, results, control):
    """Asks all rows of one side; returns the answers by id. Prints progress and, with --verbose, what is wrong."""
    given, started = {}, time.time()
    out = open(args.write, "w", encoding="utf-8") if args.write else None
    for row in rows:
        answers = given[row["id"]] = side.converse(row, shown_at(args.eval, row["picture"]), row.get("fps"))
        good = is_right(row, answers)
        results.add(name, row.get("part"), row["task"], good)
        if control and row.get("control"):
            guess = side.converse(row, shown_at(args.eval, row["control"]), row.get("fps"))
            results.add(name, "guess", row["task"], is_right(row, guess))
        if out:
            out.write(json.dumps({"id": row["id"], "answers": answers, "right": good}, ensure_ascii=False) + "\n")
        if args.verbose and not good:
            print(f"  wrong: {row['id']} ({row['task']}) {row['questions']}\n    answer   {answers!r}\n    expected {row['expected']!r}")
    if out:
        out.close()
    print(f"{name}: {len(rows)} conversations in {time.time() - started:.1f} s")
    return given


def sides_of(args):
    """(name, side) of each server, or of transformers."""
    if not args.url:
        return [("transformers", Transformers(args.model, args.max_tokens))]
    named = [re.fullmatch(r"(?:([^=/:]+)=)?(.*)", url).groups() for url in args.url]
    return [(name or "server", Server(url, args.name, args.thinking_name, args.api_key, args.max_tokens)) for name, url in named]


def tally_of(results, name):
    tally = scoring.Tally()
    for (side, part, task), (right, asked) in results.counts.items():
        if side == name and part != "guess":
            tally.by_task[task][0] += right
            tally.by_task[task][1] += asked
    return tally


def run(args):
    rows = [
        r
        for r in read_lines(os.path.join(args.eval, "questions.jsonl"))
        if (not args.tasks or r["task"] in args.tasks) and (not args.parts or r.get("part") in args.parts)
    ]
    rows = rows[: args.limit] if args.limit else rows
    if not rows:
        raise Unusable(f"{args.eval}: no questions to ask")
    results, status, sides = report.Results(), 0, sides_of(args)
    for n, (name, side) in enumerate(sides):
        given = ask(args, rows, name, side, results, args.control and n == 0)
        tally = tally_of(results, name)
        print("\n".join(tally.lines()))
        good, asked = tally.total()
        status = max(status, 0 if good >= args.min_right * asked else 1)
        if args.reference:
            reference = {r["id"]: r for r in read_lines(args.reference)}
            if compare(rows, given, reference, args.show) < args.min_equal:
                status = 1
    for path, text in ((args.table, report.markdown(results)), (args.json, json.dumps(results.as_json(), indent=1))):
        if path:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
    return status


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--eval", required=True, help="folder with questions.jsonl and pictures")
    side = p.add_mutually_exclusive_group(required=True)
    side.add_argument("--url", nargs="+", help="OpenAI-compatible servers, such as http://127.0.0.1:7860/v1, each with a name before it: int8=http://...")
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
    p.add_argument("--parts", nargs="*", choices=list(report.PARTS), help="only these parts")
    p.add_argument("--control", action="store_true", help="ask each question about another picture of its kind, too")
    p.add_argument("--max-tokens", type=int, default=MAX_TOKENS, help="of an answer")
    p.add_argument("--table", help="write the tables here, in Markdown")
    p.add_argument("--json", help="write right and asked of every side, part and task here")
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
