#!/usr/bin/env python3
"""Shows that training and the evaluation set have nothing in common, and checks the scorer: python3 tools/demo_model/test_eval.py

Thousands of training scenes and questions are drawn and compared with the set's; and the rules by which pictures, words,
wordings, programs and looks are kept apart are checked on the set itself. Under a minute. Needs numpy, Pillow, matplotlib.
"""
import gzip
import json
import os
import random
import sys
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "render"))

import facts as rendered_facts  # noqa: E402
import holdout  # noqa: E402
import looks  # noqa: E402
import report  # noqa: E402
import scenes as rendered_scenes  # noqa: E402
import scoring  # noqa: E402
import words  # noqa: E402
from curriculum import TASKS  # noqa: E402
from eval_set import bare, plain  # noqa: E402
from pictures import make  # noqa: E402
from questions import conversations, talk  # noqa: E402
from wordings import TEXT, skeletons  # noqa: E402

EVAL = os.path.join(HERE, "eval")
POOL = os.environ.get("QVL_DEMO_POOL", os.path.join(HERE, "..", "..", "build", "demo_pool"))
DRAWN = 500  # training scenes of each kind, drawn by the generator
CHOSEN = 5000  # of each kind, chosen for other programs, not drawn


def lines(name):
    with open(os.path.join(EVAL, name), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def key(kind, facts):
    return kind + json.dumps(bare(facts), ensure_ascii=False, sort_keys=True)


def training(kind, r):
    """Facts of training's scenes of a kind, of the generator and of those chosen for other programs, and questions."""
    asked, found = set(), set()
    for n in range(DRAWN):
        scene = make(r, kind, *((96, 96) if kind == "video" else (160, 192)), 6 if n % 2 else 1 + n % 6)
        assert not holdout.unseen(kind, scene.facts), (kind, scene.facts)
        found.add(key(kind, scene.facts))
        asked |= {plain(q) for c in conversations(r, scene) for q, _ in c.turns}
    for _ in range(CHOSEN if kind in rendered_facts.KINDS else 0):
        chosen = rendered_scenes.told(rendered_facts.choose(r, kind, 192, 256, False))
        assert not holdout.unseen(kind, chosen), (kind, chosen)
        found.add(key(kind, chosen))
    return found, asked


def test_pictures_and_questions():
    r, asked, held = random.Random(5), set(), lines("scenes.jsonl")
    for x in held:
        assert holdout.unseen(x["kind"], x["facts"]), x
    for kind in TASKS:
        found, questions = training(kind, r)
        asked |= questions
        same = [x["name"] for x in held if x["kind"] == kind and key(kind, x["facts"]) in found]
        assert not same, same
        print(f"  {kind}: {len(found)} different training scenes, none of the set's {sum(x['kind'] == kind for x in held)}")
    for _ in range(3000):
        asked.add(plain(talk(r).turns[0][0]))
    ours = [q for x in lines("questions.jsonl") if x["part"] == "wordings" for q in x["questions"]]
    same = [q for q in ours if plain(q) in asked]
    assert not same, same
    print(f"  {len(asked)} different training questions, none of the set's {len(set(map(plain, ours)))} in held-out wordings")


def test_wordings():
    """No skeleton is both trained and held out, whatever haste makes of it."""
    for name, by_language in TEXT.items():
        for language in by_language:
            trained = {plain(x) for x in skeletons(name, language, held_out=False)}
            both = trained & {plain(x) for x in skeletons(name, language, held_out=True)}
            assert not both, (name, language, both)


def test_words():
    known = {w.lower() for w in words.WORDS} | set(words.ZH_WORDS)
    new = set(holdout.NEW_WORDS) | set(holdout.NEW_ZH_WORDS)
    assert not known & new, known & new
    everything = {x.lower() for k, v in vars(words).items() if k.isupper() and isinstance(v, list) for x in (sum(v, []) if v and isinstance(v[0], list) else v)}
    assert not everything & new, everything & new


def test_programs():
    """The set's other programs and looks never draw for training."""
    assert not set(looks.HELD_OUT) & set(looks.FAMILIES)
    assert not {"gnuplot", "magick"} & set(rendered_scenes.TRAINING)
    drawn = Counter(x["name"].split("-")[1] for x in lines("scenes.jsonl") if x["name"].startswith("by-"))
    assert set(drawn) == set(rendered_scenes.HELD_OUT), drawn
    path = os.path.join(POOL, "pool.jsonl.gz")
    if not os.path.exists(path):
        return
    with gzip.open(path, "rt", encoding="utf-8") as f:
        for row in map(json.loads, f):
            assert row["program"] in rendered_scenes.TRAINING and row["family"] not in looks.HELD_OUT, row["program"]
            assert not holdout.unseen(row["kind"], row["facts"]), row["facts"]


def test_scoring():
    page = "```html\n<h1>Rain</h1>\n<p>a b</p>\n<ul>\n<li>x</li>\n</ul>\n<img>\n```"
    assert scoring.right("```html\n<h1>Rain</h1><p>a  b</p><ul><li>x</li></ul><img/>\n```", page)
    assert not scoring.right(page.replace("<li>x", "<li>y"), page) and not scoring.right("<h1>Rain</h1>", page)
    assert not scoring.right(page.replace("<img>\n", ""), page)
    box = '<mxCell id="%s" value="%s" vertex="1"><mxGeometry x="%d" y="0" width="40" height="20"/></mxCell>'
    arrow = '<mxCell id="4" edge="1" source="%s" target="%s"/>'
    graph = lambda x, a, b: "<mxGraphModel><root>" + box % ("2", "A", x) + box % ("3", "B", 100) + arrow % (a, b) + "</root></mxGraphModel>"  # noqa: E731
    assert scoring.right(graph(4, "2", "3"), graph(0, "2", "3"))
    assert not scoring.right(graph(30, "2", "3"), graph(0, "2", "3")) and not scoring.right(graph(0, "3", "2"), graph(0, "2", "3"))
    assert not scoring.right("<mxGraphModel>", graph(0, "2", "3"))


def test_report():
    results = report.Results()
    for part, right in (("plain", True), ("plain", False), ("guess", False)):
        results.add("int8", part, "color", right)
    results.add("int4", "plain", "color", True)
    text = report.markdown(results)
    assert "| color | 1/2 (50 %) | 0/1 (0 %) |" in text and "| all | 1/2 (50 %) | 1/1 (100 %) |" in text, text
    assert results.as_json()["int8"]["plain"]["color"] == [1, 2]


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"ok {name}")


if __name__ == "__main__":
    main()
