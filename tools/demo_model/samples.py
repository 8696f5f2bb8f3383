#!/usr/bin/env python3
"""Proposes pictures and questions for the page's first screen: pictures by programs and looks that training never shows, and of the
questions about them those that a checkpoint answers right.

    tools/demo_model/render/make.sh build/demo_shown --held-out --seed 77      # not the evaluation's pictures
    build/release/qwen3vl serve --port 7870 --precision float32 &               # and so on, a port for each of bfloat16, int8, int4
    python3 tools/demo_model/samples.py --held build/demo_shown --out build/samples --url http://127.0.0.1:7870/v1 http://127.0.0.1:7871/v1 ...

Questions are taken together only if every server answers each of them right in every order; those about sums with
thinking, too: the demo model was taught to think about little else.
build/samples then holds PNGs and index.json as models/demo/samples has them, and sample_answers.json as tests/e2e has it. Look at
them and choose.
"""
import argparse
import itertools
import json
import os
import random
import re
import tempfile
from collections import defaultdict

import scoring
from eval_set import held_scenes
from PIL import Image
from questions import conversations
from sides import CLOSE, Server, normal

TITLES = {
    "objects": ("Coloured shapes", "彩色图形"),
    "chart": ("A chart", "图表"),
    "text": ("Some text", "文字"),
    "window": ("A window", "窗口截图"),
    "sums": ("A sum", "算式"),
    "table": ("A table", "表格"),
    "page": ("A web page", "网页"),
}
SHOWN, EACH = 3, 6  # questions a language and pictures a kind, at most
TRIED = 12  # sets of questions about a picture, at most
CLEAN = re.compile(r"[A-Z][^!]*[a-z\")][?.]|[^a-z!]*[？。]|[^!]*[\u4e00-\u9fff][？。]")


def clean(question):
    """Whether a question looks as a careful person's: a capital, one mark at its end, no greeting, no doubled spaces."""
    return bool(CLEAN.fullmatch(question)) and not re.search(r"  |^(Hey|Hi|Ok|So|Now|Tell me,|Please tell|Excuse|Quick)|请问|谢谢|那么|你好|问一下", question)


def candidates(scene, seed):
    """Questions worth showing about a scene: one turn, no thought, one a task and language."""
    out = {}
    for n in range(12):
        for c in conversations(random.Random(f"{seed} {n}"), scene):
            if len(c.turns) == 1 and not c.thinking and clean(c.turns[0][0]):
                out.setdefault((c.language, c.task), c)
    return list(out.values())


def answers_right(server, path, conversations, thinking):
    """The server's answers to questions asked one after the other where all are right, else None."""
    row = dict(questions=[c.turns[0][0] for c in conversations], thinking=thinking)
    answers = [CLOSE.split(a, maxsplit=1)[-1] for a in server.converse(row, [path])]
    fine = all(scoring.right(normal(a), normal(c.turns[0][1]), c.region) for a, c in zip(answers, conversations))
    return answers if fine else None


def chosen(servers, path, candidates, modes):
    """Questions that every server answers right in every order, in these modes (with thinking or not), and the first one's answers to them."""
    fine = [c for c in candidates if answers_right(servers[0], path, [c], False)]
    for size in range(min(SHOWN, len(fine)), 0, -1):
        for some in itertools.islice(itertools.combinations(fine, size), TRIED):
            orders = list(itertools.permutations(some))
            if all(answers_right(s, path, o, thinking) for s in servers for thinking in modes for o in orders):
                return some, dict(zip([c.turns[0][0] for c in some], answers_right(servers[0], path, some, False)))
    return (), {}


def proposals(servers, folder, held):
    """By kind: (number of questions, scene, questions by language, answers), the best first."""
    out = defaultdict(list)
    for n, (kind, scene) in enumerate(held):
        path = os.path.join(folder, f"{n}.png")
        Image.fromarray(scene.pixels).save(path)
        questions, answers, offered, modes = {}, {}, candidates(scene, n), (False, True) if kind == "sums" else (False,)
        for language in ("en", "zh"):
            some, given = chosen(servers, path, [c for c in offered if c.language == language], modes)
            questions[language] = [c.turns[0][0] for c in some]
            answers.update(given)
        if all(questions.values()):
            out[kind].append((len(answers), n, scene, questions, answers))
    return {kind: sorted(found, key=lambda x: (-x[0], x[1])) for kind, found in out.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--held", required=True, help="the folder that render/make.sh made with --held-out")
    p.add_argument("--url", nargs="+", required=True, help="servers, one for each precision")
    p.add_argument("--out", required=True)
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    servers, index, expected = [Server(url, "demo", "demo-thinking", None) for url in a.url], [], {}
    with tempfile.TemporaryDirectory() as folder:
        found = proposals(servers, folder, held_scenes(a.held))
    for kind, (english, chinese) in TITLES.items():
        for n, (right, _, scene, questions, answers) in enumerate(found.get(kind, [])[:EACH]):
            name = f"{kind}-{n}.png"
            Image.fromarray(scene.pixels).save(os.path.join(a.out, name), optimize=True)
            index.append(dict(file=name, title=dict(en=english, zh=chinese), questions=questions))
            expected[name] = answers
            print(f"{name}: {right} questions by {scene.program}")
    for name, value in (("index.json", index), ("sample_answers.json", expected)):
        with open(os.path.join(a.out, name), "w", encoding="utf-8") as f:
            json.dump(value, f, ensure_ascii=False, indent=2)
            f.write("\n")


if __name__ == "__main__":
    main()
