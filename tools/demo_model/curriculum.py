"""What to train on next: the tasks furthest from learnt, simple ones first.

Accuracies on the questions just trained on, by task, move two things (they cost nothing, and come by the ten thousand):

- weights. A task's weight falls from 1 to 0.12 as its accuracy rises to 1 (what is learnt is kept warm, not forgotten),
  and stays at 0.25
  while what it builds on is not there: no relations before colours and shapes, no sums before digits.
- levels. Every kind of picture begins at level 1 (one line of one character, two bars; objects at 2) and goes up when its
  tasks reach
  0.7 at the level. Half of a kind's pictures are of its level, the rest of any level up to it, and a few one above.

Learning is abrupt: a flat curve of 10,000 pictures may still jump, so no task's weight is ever nought. Levels may go
down by one.
"""
from pictures import KINDS

TASKS = {  # kind -> its tasks and their share of a picture's questions
    "objects": dict(
        color=1,
        shape=1,
        count=1,
        count_attr=1.2,
        think_count=0.8,
        exist=1,
        where=1.5,
        relation=1.5,
        extreme=1.2,
        describe=1.2,
        ground=1.6,
        absent=0.6,
        multi=1,
    ),
    "text": dict(ocr_all=2.5, ocr_text=2, ocr_digits=1.5, ocr_line=1, ocr_count=0.6, ocr_color=0.5, scene=0.4, multi=0.5),
    "sums": dict(arith=1.2, think=1.5, ocr_text=1, scene=0.4),
    "chart": dict(
        chart_max=1.2,
        chart_val=1.4,
        chart_list=1.2,
        chart_diff=0.8,
        chart_count=0.6,
        chart_color=0.8,
        chart_title=0.5,
        scene=0.4,
    ),
    "window": dict(click=1.5, gui_read=1.2, gui_list=1, scene=0.4),
    "table": dict(table_cell=1.2, table_read=1, scene=0.4),
    "page": dict(html=1, page_read=1, scene=0.4),
    "pair": dict(pair_diff=1.4, pair_same=1, pair_more=1, pair_where=1),
    "diagram": dict(diagram_arrow=1.4, diagram_list=1, diagram_count=0.6, drawio=1.2, scene=0.4),
    "video": dict(vid_move=1, vid_time=1, vid_desc=0.7, vid_obj=0.6),
}
NEEDS = {  # task -> what must be learnt to NEEDED first
    "relation": ("color", "shape"),
    "where": ("color", "shape"),
    "ground": ("color", "shape"),
    "describe": ("color", "shape"),
    "extreme": ("color", "shape"),
    "absent": ("shape",),
    "multi": ("color",),
    "arith": ("ocr_digits",),
    "think": ("ocr_digits",),
    "ocr_line": ("ocr_digits",),
    "chart_list": ("ocr_digits",),
    "chart_diff": ("chart_val",),
    "think_count": ("color", "shape"),
    "pair_diff": ("color", "shape"),
    "pair_where": ("color", "shape"),
    "drawio": ("diagram_list",),
    "gui_list": ("gui_read",),
    "table_read": ("table_cell",),
    "html": ("page_read",),
    "vid_time": ("vid_obj",),
    "vid_desc": ("vid_obj",),
}
NEEDED, KEEP, WAIT, PASS, TOP = 0.5, 0.12, 0.25, 0.7, 6
LEAST = 60  # questions to tell an accuracy from
FIRST = {"objects": 2}  # a single object teaches to answer without looking for the one asked about
LEVELS = TOP + 2  # to count by: 0 to TOP, and one for pictures from the pool, which have none
APART = ("chat", "refuse")  # asked without regard to the kind of picture (smalltalk.py)
KIND_SHARE = dict(objects=3.0, text=2.5, sums=1.0, chart=1.5, window=1.5, table=0.8, page=0.7, pair=0.8, diagram=0.7, video=1.0)


class Curriculum:
    """Weights and levels. Plain data in and out (state), so that worker processes read it from a file."""

    def __init__(self, state=None, kinds=None):
        self.kinds = [k for k in TASKS if not kinds or k in kinds]
        state = state or {}
        self.accuracy = dict(state.get("accuracy", {}))
        self.levels = {k: state.get("levels", {}).get(k, FIRST.get(k, 1)) for k in TASKS}
        self.share = state.get("share", 1.0)  # of the rows of a step: less where the GPU's memory did not hold them
        self.favour = dict(state.get("favour", {}))  # factors of KIND_SHARE, by kind, and of a task's share of its kind

    def state(self):
        return {k: getattr(self, k) for k in ("accuracy", "levels", "share", "favour")}

    def at_least(self, level):
        """Lifts every kind to a level: a run whose time is short must not end below its full difficulty."""
        self.levels = {k: max(v, level) for k, v in self.levels.items()}

    def task_weight(self, task):
        """How eagerly a question of this task is taken, 0.12 to 1."""
        missing = 1 - self.accuracy.get(task, 0.0)
        weight = KEEP + (1 - KEEP) * missing
        if any(self.accuracy.get(n, 0.0) < NEEDED for n in NEEDS.get(task, ())):
            weight = min(weight, WAIT)
        return weight

    def kind_weights(self):
        """How often a kind of picture is drawn."""
        out = {}
        for kind in self.kinds:
            tasks = TASKS[kind]
            share = KIND_SHARE[kind] * self.favour.get(kind, 1.0)
            out[kind] = share * sum(w * self.favour.get(t, 1.0) * self.task_weight(t) for t, w in tasks.items()) / sum(tasks.values())
        return out

    def pick_kind(self, r, video=True):
        weights = {k: w for k, w in self.kind_weights().items() if video or k != "video"}
        return r.choices(list(weights), list(weights.values()))[0]

    def pick_level(self, r, kind):
        level, k = self.levels[kind], r.random()
        return min(TOP, level + 1) if k < 0.1 else level if k < 0.6 else r.randint(1, level)

    def order(self, r, kind, conversations):
        """The conversations of a picture, those to take first in front: a weighted shuffle."""
        share = TASKS[kind]
        return sorted(
            conversations,
            key=lambda c: r.random() ** (1 / (share.get(c.task, 1) * self.favour.get(c.task, 1.0) * self.task_weight(c.task))),
            reverse=True,
        )

    def learn(self, by_task, by_level):
        """Takes (right, asked) by task and by (kind, level) since the last time; moves levels. A kind goes up when its
        questions at its own level are right. Returns the changes as text."""
        for task, (good, asked) in by_task.items():
            if asked >= LEAST:
                old = self.accuracy.get(task)
                self.accuracy[task] = good / asked if old is None else 0.4 * old + 0.6 * good / asked
        changes = []
        for kind in self.kinds:
            good, asked = by_level.get((kind, self.levels[kind]), (0, 0))
            if asked < LEAST:
                continue
            value, level = good / asked, self.levels[kind]
            step = 1 if value >= PASS and level < TOP else -1 if value < 0.15 and level > 1 else 0
            if step:
                self.levels[kind] += step
                changes.append(f"{kind} to level {self.levels[kind]}")
        return ", ".join(changes)


KIND_INDEX = {k: i for i, k in enumerate(TASKS)}
TASK_INDEX = {t: i for i, t in enumerate(dict.fromkeys([*(t for ts in TASKS.values() for t in ts), *APART]))}
assert set(KINDS) | {"video"} == set(TASKS), "every kind of picture needs its tasks here"
