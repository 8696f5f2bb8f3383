#!/usr/bin/env python3
"""Questions and answers about a scene, by task, in English and Chinese.

    for c in conversations(random.Random(1), make(r, "objects", 160, 160)): print(c.task, c.turns)
    python3 tools/demo_model/questions.py --kind chart          # prints examples

Wordings vary (wordings*.py); answers do not: one form per task and language, so that the model spends itself on
looking. The forms, and the task names, are those of the evaluation set in tests/data/demo_eval.
"""
import argparse
import random
from dataclasses import dataclass, field

import wordings_composed  # noqa: F401  (fills wordings.TEXT)
from questions_compared import of_diagram, of_pair
from questions_reading import of_chart, of_page, of_sums, of_table, of_text, of_video, of_window
from smalltalk import smalltalk
from words import CALLED, COLOURS, ENDS, PLACES, SHAPES, SIDES, article, colour_name, name_of, plural, shape_name
from wordings import say


@dataclass
class Conversation:
    task: str
    language: str
    turns: list = field(default_factory=list)  # (question, answer); a thinking answer begins with <think>
    thinking: bool = False
    region: dict = None
    alone: bool = False  # asked without the picture


def box_answer(box, label):
    return '```json\n[\n\t{"bbox_2d": [%d, %d, %d, %d], "label": "%s"}\n]\n```' % (*box, label)


def unique(things, *keys):
    """The things that no other equals in these keys."""
    seen = [tuple(t[k] for k in keys) for t in things]
    return [t for t, s in zip(things, seen) if seen.count(s) == 1]


class Objects:
    """Questions about coloured shapes."""

    def __init__(self, r, scene):
        self.r, self.scene, self.things = r, scene, scene.facts["objects"]
        self.named = unique(self.things, "colour", "shape")

    def called(self, thing, language, colour=True):
        """What a question calls it: now and then by another word than the answer."""
        shape = shape_name(thing["shape"], language)
        if self.r.random() < 0.12:
            shape = self.r.choice(CALLED[thing["shape"]][language == "zh"].split("|"))
        if not colour:
            return shape
        return colour_name(thing["colour"], language) + (" " if language == "en" else "") + shape

    def colour(self, language, thing, question=None):
        s = shape_name(thing["shape"], language)
        answer = f"The {s} is {thing['colour']}." if language == "en" else f"{s}是{COLOURS[thing['colour']][1]}的。"
        return question or say(self.r, "colour", language, thing=self.called(thing, language, False)), answer

    def shape(self, language, thing):
        c = colour_name(thing["colour"], language)
        return say(self.r, "shape", language, colour=c), (
            f"The {c} object is a {thing['shape']}." if language == "en" else f"{c}的物体是{SHAPES[thing['shape']]}。"
        )

    def count(self, language):
        n = len(self.things)
        return say(self.r, "count", language), (
            f"图中有{n}个物体。" if language == "zh" else "There is 1 object." if n == 1 else f"There are {n} objects."
        )

    def count_some(self, language, by):
        r, everything = self.r, list(COLOURS if by == "colour" else SHAPES)
        value = r.choice(self.things)[by] if r.random() < 0.75 else r.choice(everything)
        n = sum(t[by] == value for t in self.things)
        if language == "en":
            one, many = (f"{value} object", f"{value} objects") if by == "colour" else (value, plural(value))
            return (
                say(r, "count_attr", "en", things=many),
                f"There is 1 {one}." if n == 1 else f"There are {n or 'no'} {many}.",
            )
        what = COLOURS[value][1] + "的物体" if by == "colour" else SHAPES[value]
        return say(r, "count_attr", "zh", things=what), f"有{n}个{what}。" if n else f"没有{what}。"

    def thinking(self, language):
        """A count that names what it counts, from left to right."""
        question, answer = self.count(language) if self.r.random() < 0.4 else self.count_some(language, "colour")
        names = [name_of(t, language) for t in sorted(self.things, key=lambda t: t["x"])]
        if language == "en":
            seen = f"From left to right: {', '.join(names)}."
        else:
            seen = f"从左到右：{'、'.join(names)}。"
        return question, f"<think>\n{seen}\n</think>\n\n{answer}"

    def exists(self, language):
        r, there = self.r, r_choice(self.r, self.things)
        if r.random() < 0.5:
            thing = there
        elif r.random() < 0.5:  # half right: the hard kind of no
            thing = dict(colour=there["colour"], shape=r.choice(list(SHAPES)))
        else:
            thing = dict(colour=r.choice(list(COLOURS)), shape=there["shape"])
        yes = any((t["colour"], t["shape"]) == (thing["colour"], thing["shape"]) for t in self.things)
        question = say(r, "exist", language, thing=self.called(thing, language)).replace("a orange", "an orange")
        return question, (
            ("Yes, there is." if yes else "No, there is not.") if language == "en" else "有。" if yes else "没有。"
        )

    def place(self, thing):
        """The ninth of the picture it lies in, or None on the border between two."""
        x, y = 3 * thing["x"] / self.scene.width, 3 * thing["y"] / self.scene.height
        if any(abs(v - border) < 0.09 for v in (x, y) for border in (1, 2)):
            return None
        return PLACES[(min(2, int(x)), min(2, int(y)))]

    def where(self, language, thing, question=None):
        place = self.place(thing)
        if not place:
            return None
        en, zh = place
        name = name_of(thing, language)
        return (
            question or say(self.r, "where", language, thing=self.called(thing, language)),
            f"The {name} is {en}." if language == "en" else f"{name}在图片的{zh}。",
        )

    def relation(self, language):
        """Two things clearly beside or above one another, or None."""
        r = self.r
        a, b = r.sample(self.named, 2)
        dx, dy = a["x"] - b["x"], a["y"] - b["y"]
        longer, shorter = max(abs(dx), abs(dy)), min(abs(dx), abs(dy))
        if longer < 14 or longer < 1.25 * shorter + 4:  # as much above as beside: either answer would be right
            return None
        side = ("left" if dx < 0 else "right") if abs(dx) > abs(dy) else "above" if dy < 0 else "below"
        na, nb = name_of(a, language), name_of(b, language)
        if r.random() < 0.5:
            return say(r, "relation", language, a=self.called(a, language), b=self.called(b, language)), (
                f"The {na} is {SIDES[side][0]} the {nb}." if language == "en" else f"{na}在{nb}的{SIDES[side][1]}。"
            )
        asked = (
            side if r.random() < 0.5 else {"left": "right", "right": "left", "above": "below", "below": "above"}[side]
        )
        named = dict(a=self.called(a, language), b=self.called(b, language))
        question = say(r, "relation_check", language, **named, side=SIDES[asked][0 if language == "en" else 1])
        if language == "en":
            return question, "Yes, it is." if asked == side else f"No, it is {SIDES[side][0]} it."
        return question, f"是的，在{SIDES[side][1]}。" if asked == side else f"不是，在{SIDES[side][1]}。"

    def extreme(self, language):
        end = self.r.choice(list(ENDS))
        zh, axis, last = ENDS[end]
        order = sorted(self.things, key=lambda t: t[axis], reverse=last)
        if len(order) > 1 and abs(order[0][axis] - order[1][axis]) < 6:
            return None
        name = name_of(order[0], language)
        return say(self.r, "extreme", language, end=end if language == "en" else zh), (
            f"The {end} object is a {name}." if language == "en" else f"{zh}是{name}。"
        )

    def describe(self, language):
        names = [name_of(t, language) for t in sorted(self.things, key=lambda t: t["x"])]
        if language == "zh":
            return (
                say(self.r, "describe", "zh"),
                f"图中有一个{names[0]}。" if len(names) == 1 else "图中从左到右有：" + "、".join(names) + "。",
            )
        names = [article(n) for n in names]
        return say(self.r, "describe", "en"), (
            f"The image shows {names[0]}."
            if len(names) == 1
            else f"From left to right, the image shows {', '.join(names[:-1])} and {names[-1]}."
        )

    def ground(self, language, thing):
        box, name = self.scene.box1000(thing["box"]), name_of(thing, language)
        return say(self.r, "ground", language, thing=self.called(thing, language)), box_answer(box, name), {"box": box}

    def absent(self, language):
        """A question about what is not there, which has no answer but that."""
        shapes = [s for s in SHAPES if all(t["shape"] != s for t in self.things)]
        s = shape_name(self.r.choice(shapes), language)
        return (
            say(self.r, "colour", language, thing=s),
            f"There is no {s} in the picture." if language == "en" else f"图中没有{s}。",
        )

    def follow_ups(self, language):
        """Conversations of two or three turns."""
        r, shapes = self.r, unique(self.things, "shape")
        if len(shapes) > 1:
            some = r.sample(shapes, min(len(shapes), r.choice((2, 2, 3))))
            ask = lambda t: say(r, "and", language, thing=shape_name(t["shape"], language))  # noqa: E731
            yield [self.colour(language, some[0])] + [self.colour(language, t, ask(t)) for t in some[1:]]
        both = [t for t in shapes if t in self.named and self.place(t)]
        if both and r.random() < 0.5:
            t = r.choice(both)
            yield [self.colour(language, t), self.where(language, t, say(r, "and_where", language))]
        if r.random() < 0.5:
            yield [self.count(language), self.count_some(language, r.choice(("colour", "shape")))]


def r_choice(r, items):
    return items[r.randrange(len(items))]


def of_objects(r, scene):
    o, things = Objects(r, scene), scene.facts["objects"]

    def one(task, made, language):
        if made:
            region = made[2] if len(made) > 2 else None
            yield Conversation(task, language, [made[:2]], region=region, thinking=task == "think_count")

    tasks = [("color", o.colour, (t,)) for t in unique(things, "shape")[:3]]
    tasks += [("shape", o.shape, (t,)) for t in unique(things, "colour")[:3]]
    tasks += [
        ("count", o.count, ()),
        ("count_attr", o.count_some, ("colour",)),
        ("count_attr", o.count_some, ("shape",)),
        ("think_count", o.thinking, ()),
        ("extreme", o.extreme, ()),
        ("exist", o.exists, ()),
        ("exist", o.exists, ()),
        ("absent", o.absent, ()),
    ]
    for t in r.sample(o.named, min(2, len(o.named))):
        tasks += [("ground", o.ground, (t,)), ("where", o.where, (t,))]
    if len(o.named) > 1:
        tasks += [("relation", o.relation, ())] * 2
    xs = sorted(t["x"] for t in things)
    if all(b - a > 5 for a, b in zip(xs, xs[1:])):  # else "from left to right" is anyone's guess
        tasks.append(("describe", o.describe, ()))
    for task, make, args in tasks:
        language = r.choice(("en", "zh"))
        yield from one(task, make(language, *args), language)
    language = r.choice(("en", "zh"))
    for turns in o.follow_ups(language):
        yield Conversation("multi", language, turns)


READERS = dict(
    text=of_text,
    sums=of_sums,
    chart=of_chart,
    window=of_window,
    table=of_table,
    page=of_page,
    pair=of_pair,
    diagram=of_diagram,
    video=of_video,
)


def conversations(r, scene):
    """All conversations about a scene, in no particular order."""
    if scene.kind == "objects":
        return list(of_objects(r, scene))
    return [Conversation(**c) for c in READERS[scene.kind](r, scene)]


def talk(r, test=False):
    """A conversation that needs no picture."""
    task, language, question, answer, alone = smalltalk(r, test)
    return Conversation(task, language, [(question, answer)], alone=alone)


def main():
    from pictures import KINDS, make

    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kind", choices=list(KINDS) + ["video"], default="objects")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--level", type=int, default=6)
    a = p.parse_args()
    r = random.Random(a.seed)
    for c in conversations(r, make(r, a.kind, 160, 160, a.level)) + [talk(r)]:
        print(f"{c.task:12s} {c.language} {c.turns} {c.region or ''}")


if __name__ == "__main__":
    main()
