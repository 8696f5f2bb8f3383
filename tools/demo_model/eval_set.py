#!/usr/bin/env python3
"""Makes the held-out evaluation set in tools/demo_model/eval: pictures that training never shows (holdout.py), questions, answers.

    tools/demo_model/render/make.sh build/demo_held --held-out
    python3 tools/demo_model/eval_set.py --held build/demo_held --out tools/demo_model/eval

Three parts, each with up to ASKED questions a task, spread over languages and pictures:
- plain: the generator's pictures of held-out combinations, asked in trained wordings;
- wordings: the same pictures, asked in wordings that training never uses (wordings.HeldOutWordings);
- programs: pictures by programs and looks that training never shows (render/), in trained wordings.

A line of questions.jsonl: id, part, kind, task, language, thinking, questions and expected (one a turn), region (scoring.py), picture:
null, a file's name, or a list of names: pictures shown together, or with `fps` the frames of a video; and `control`, the same of
another scene of the kind and part, of which the expected answer would be a guess (null where there is no picture).
scenes.jsonl holds what is on the pictures, by which test_eval.py shows that training cannot have shown them.
"""
import argparse
import io
import json
import os
import random
import re
import shutil
from collections import Counter, defaultdict

from PIL import Image

from curriculum import TASKS
from holdout import unseen
from pictures import make
from questions import conversations, talk
from rendered import Pool
from wordings import TEXT, HeldOutWordings, skeletons

ASKED = 20  # questions a task and part
PLAIN = dict(objects=26, text=36, sums=20, chart=24, window=20, table=20, page=20, pair=20, diagram=20, video=22)  # pictures of a kind
EACH = 3  # questions of one task about one picture, at most
SIZES = {(160, 160): 2, (192, 192): 2, (160, 256): 2, (256, 160): 1, (192, 256): 2, (256, 256): 1.5, (256, 384): 1, (384, 384): 0.5, (288, 512): 0.3}


def wanted(n, kind, facts):
    """Whether picture n of a kind is of the sort it shall be: a third of the texts are numbers."""
    return kind != "text" or n % 3 > 0 or all(x["text"].isdigit() for x in facts["lines"])


def scene_of(n, r, kind):
    """A scene of the generator at full difficulty that training cannot show, the n-th of its kind."""
    height, width = (96, 96) if kind == "video" else r.choices(list(SIZES), list(SIZES.values()))[0]
    while True:
        scene = make(r, kind, height, width, 6, True, r.choice((4, 6, 8)) if kind == "video" else 4)
        if unseen(kind, scene.facts) and wanted(n, kind, scene.facts):
            return scene


def held_scenes(folder):
    """The held-out programs' scenes as they were drawn: (kind, scene)."""
    pool = Pool(folder)
    for kind, rows in pool.rows.items():
        for _, _, line in rows:
            yield kind, pool.whole(json.loads(line))


def bare(value):
    """Facts without places: what makes two pictures the same."""
    if isinstance(value, dict):
        return {k: bare(v) for k, v in value.items() if k not in ("box", "x", "y", "radius", "ink")}
    return [bare(v) for v in value] if isinstance(value, (list, tuple)) else value


class Writer:
    """Pictures of the set's folder, each written once, and what is on them."""

    def __init__(self, folder):
        self.folder, self.scenes = folder, []

    def one(self, name, pixels):
        best = None
        for how in (dict(lossless=True, quality=70, method=3), dict(quality=84, method=4)):
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "WEBP", **how)
            best = min((x for x in (best, buffer.getvalue()) if x), key=len)
        with open(os.path.join(self.folder, name), "wb") as f:
            f.write(best)
        return name

    def scene(self, name, scene):
        """(picture, fps) as in questions.jsonl."""
        self.scenes.append(dict(name=name, kind=scene.kind, facts=bare(scene.facts)))
        if scene.frames is not None:
            step = scene.times[1] - scene.times[0] if len(scene.times) > 1 else 1.0
            return [self.one(f"{name}-{i}.webp", f) for i, f in enumerate(scene.frames)], 2 / step
        parts = [self.one(f"{name}{'ab'[i] if scene.pair is not None else ''}.webp", s.pixels) for i, s in enumerate(scene.parts())]
        return (parts if scene.pair is not None else parts[0]), None


def add(rows, part, kind, n, c, shown, control):
    """One line of questions.jsonl; shown and control: (picture, fps), of control None."""
    rows.append(
        dict(
            id=f"{part}-{kind}-{n:02d}-{len(rows):04d}", part=part, kind=kind, picture=shown[0], control=control and control[0], task=c.task, language=c.language,
            thinking=c.thinking, questions=[q for q, _ in c.turns], expected=[a.removeprefix("<think>\n") for _, a in c.turns], region=c.region,
        )
    )
    if shown[1]:
        rows[-1]["fps"] = shown[1]


def plain(text):
    """A question without what haste changes: case, punctuation, spaces."""
    return re.sub(r"[\s?.,!？。，！:：'\"]+", " ", text.lower()).strip()


FIELDS = {  # fields of a chart's ends, by which two wordings may come to the same
    "{bar}": ("bar", "point", "slice", "柱子", "点", "扇形"),
    "{zh}": ("高", "低", "大", "小"),
    "{big}": ("大", "小"),
    "{en}": ("highest", "lowest", "largest", "smallest"),
    "{size}": ("largest", "smallest"),
}


def filled(skeleton):
    """The skeleton with every filling of the fields in FIELDS."""
    out = [skeleton]
    for field, values in FIELDS.items():
        out = [x.replace(field, v) for x in out for v in (values if field in x else ("",))]
    return out


def trained_questions(scenes, often=25, more=120):
    """What training asks about these scenes, about `more` of its own of each kind, and without any: a held-out wording of one task
    may be a trained one of another."""
    r = random.Random(1)
    scenes = scenes + [make(r, s.kind, s.height, s.width) for s in {s.kind: s for s in scenes}.values() for _ in range(more)]
    out = {plain(talk(random.Random(n), n % 2 > 0).turns[0][0]) for n in range(6000)}
    for name, languages in TEXT.items():
        out |= {plain(x) for language in languages for skeleton in skeletons(name, language) for x in filled(skeleton)}
    for n in range(often):
        out |= {plain(q) for s in scenes for c in conversations(random.Random(n), s) for q, _ in c.turns}
    return out


def ask(rows, part, kind, scenes, shown, wording, trained=()):
    """Questions about the scenes of one kind, ASKED a task over the whole part, but for those in `trained`; wording(n): the random
    numbers of picture n."""
    asked = Counter((x["part"], x["task"]) for x in rows)
    pending = []
    for n, scene in enumerate(scenes):
        r = wording(n)
        made = conversations(r, scene)
        r.shuffle(made)
        seen = Counter()
        for c in made:
            if any(plain(q) in trained for q, _ in c.turns):
                continue
            seen[c.task] += 1
            if seen[c.task] <= EACH:
                pending.append((seen[c.task], n, c))
    pending.sort(key=lambda x: (x[0], x[1]))  # first one question of every picture, then a second
    for _, n, c in pending:
        if asked[part, c.task] < ASKED:
            asked[part, c.task] += 1
            add(rows, part, kind, n, c, shown[n], shown[(n + 1) % len(shown)])


def chat(rows, part, wording, trained=()):
    """Small talk and what is out of scope, without pictures."""
    asked, n, seen = Counter(), 0, set(trained)
    while min(asked["chat"], asked["refuse"]) < ASKED and n < 4000:
        c = talk(wording(n), True)
        n += 1
        if plain(c.turns[0][0]) in seen or asked[c.task] >= ASKED or c.task == "refuse" and not c.alone:
            continue
        seen.add(plain(c.turns[0][0]))
        asked[c.task] += 1
        add(rows, part, "talk", 0, c, (None, None), None)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--held", required=True, help="the folder that render/make.sh made with --held-out")
    p.add_argument("--out", required=True)
    p.add_argument("--seed", type=int, default=2026)
    a = p.parse_args()
    new = a.out.rstrip("/") + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    writer, rows = Writer(new), []
    drawn = {k: [scene_of(n, random.Random(f"{a.seed} {k} {n}"), k) for n in range(PLAIN[k])] for k in TASKS}
    trained = trained_questions([s for scenes in drawn.values() for s in scenes])
    for kind, scenes in drawn.items():
        shown = [writer.scene(f"{kind}-{n:02d}", s) for n, s in enumerate(scenes)]
        ask(rows, "plain", kind, scenes, shown, lambda n: random.Random(f"{a.seed} {kind} {n} trained"))
        ask(rows, "wordings", kind, scenes, shown, lambda n: HeldOutWordings(f"{a.seed} {kind} {n} held"), trained)
    held = defaultdict(list)
    for kind, scene in held_scenes(a.held):
        held[kind].append(scene)
    for kind, scenes in held.items():
        shown = [writer.scene(f"by-{s.program}-{kind}-{n:02d}", s) for n, s in enumerate(scenes)]
        ask(rows, "programs", kind, scenes, shown, lambda n: random.Random(f"{a.seed} {kind} {n} programs"))
    chat(rows, "plain", lambda n: random.Random(f"{a.seed} talk {n}"))
    chat(rows, "wordings", lambda n: HeldOutWordings(f"{a.seed} talk {n}"), trained)
    used = {name for x in rows for shown in (x["picture"], x["control"]) if shown for name in ([shown] if isinstance(shown, str) else shown)}
    for name in set(os.listdir(new)) - used:
        os.remove(os.path.join(new, name))
    for name, lines in (("questions.jsonl", rows), ("scenes.jsonl", writer.scenes)):
        with open(os.path.join(new, name), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(x, ensure_ascii=False) + "\n" for x in lines)
    shutil.rmtree(a.out, ignore_errors=True)
    os.rename(new, a.out)
    for part in ("plain", "wordings", "programs"):
        print(part, dict(sorted(Counter(x["task"] for x in rows if x["part"] == part).items())))
    total = sum(os.path.getsize(os.path.join(a.out, n)) for n in os.listdir(a.out))
    print(f"{len(rows)} questions, {len(used)} pictures, {total / 2**20:.2f} MiB in {a.out}")


if __name__ == "__main__":
    main()
