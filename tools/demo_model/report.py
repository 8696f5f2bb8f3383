"""Tables of an evaluation: by task and part, beside what guessing gives, and by precision. Standard library only."""
from collections import defaultdict

PARTS = {"plain": "held-out pictures", "wordings": "held-out wordings", "programs": "other programs"}


class Results:
    """Right and asked by (side, part, task), and the same of the controls: answers about another picture of the kind."""

    def __init__(self):
        self.counts = defaultdict(lambda: [0, 0])

    def add(self, side, part, task, right):
        """part: of PARTS, or None; a control is counted under the part "guess"."""
        entry = self.counts[side, part, task]
        entry[0] += bool(right)
        entry[1] += 1

    def sides(self):
        return list(dict.fromkeys(side for side, _, _ in self.counts))

    def parts(self):
        there = {part for _, part, _ in self.counts}
        return [p for p in (*PARTS, None, "guess") if p in there]

    def tasks(self):
        return sorted({task for _, _, task in self.counts})

    def sum(self, side, part, task=None):
        """(right, asked) of one task, or of all."""
        found = [v for (s, p, t), v in self.counts.items() if s == side and p == part and task in (t, None)]
        return sum(v[0] for v in found), sum(v[1] for v in found)

    def as_json(self):
        """{side: {part: {task: [right, asked]}}}"""
        out = {}
        for (side, part, task), v in sorted(self.counts.items(), key=str):
            out.setdefault(side, {}).setdefault(part or "all", {})[task] = v
        return out


def cell(right, asked):
    return f"{right}/{asked} ({round(100 * right / asked)} %)" if asked else ""


def table(head, lines):
    return ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)] + ["| " + " | ".join(x) + " |" for x in lines]


def markdown(results):
    """One table by task and part for the first side; where there are more, one by task and side of the first part."""
    sides, parts = results.sides(), results.parts()
    names = {**PARTS, None: "right", "guess": "guessing"}
    line = lambda name, task: [name] + [cell(*results.sum(sides[0], p, task)) for p in parts]  # noqa: E731
    out = [f"{sides[0]}:", ""] + table(["task", *(names[p] for p in parts)], [line(t, t) for t in results.tasks()] + [line("all", None)])
    if len(sides) > 1:
        per = lambda name, task: [name] + [cell(*results.sum(s, parts[0], task)) for s in sides]  # noqa: E731
        out += ["", f"By precision, {names[parts[0]]}:", ""] + table(["task", *sides], [per(t, t) for t in results.tasks()] + [per("all", None)])
    return "\n".join(out) + "\n"
