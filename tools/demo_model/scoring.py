"""When is an answer right? One rule for training, evaluation over HTTP and evaluation in transformers.

Standard library only, because tools/demo_model/evaluate.py must run where there is no torch.

An answer is right when its text equals the expected text (spaces at the ends aside): numbers and words are exact. A question
with a `region` is also right when its first bracketed list of numbers lies there: `{"box": [x1, y1, x2, y2]}` wants a
box of intersection over union 0.5 or more, `{"hit": [x1, y1, x2, y2]}` wants a point inside, and `{"near": 40}` the expected
text but for numbers of two or more digits, which may be off by so much. Coordinates are 0-1000 of the picture. HTML is
right when it has the expected elements and texts in order, however it is written; Draw.io's XML when it has the same
boxes, each overlapping its own by half, and the same arrows between them. A conversation is right when each turn is.
"""
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from html.parser import HTMLParser

_LIST = re.compile(r"\[([\d, ]+)\]")


def overlap(a, b):
    """Intersection over union of two boxes; 0 for boxes that do not meet or have no area."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / area


def numbers(text):
    """The first list of integers in brackets, or an empty list."""
    found = _LIST.search(text)
    if not found:
        return []
    try:
        return [int(x) for x in found.group(1).split(",")]
    except ValueError:  # "[1,,2]" and the like are the model's mistake, not ours
        return []


def near(answer, expected, most):
    """Whether two texts differ only in their numbers of two or more digits, and those by `most` at most."""
    number = re.compile(r"\d{2,4}")
    if number.sub("", answer.strip()) != number.sub("", expected.strip()):
        return False
    return all(abs(int(a) - int(b)) <= most for a, b in zip(number.findall(answer), number.findall(expected)))


class _Elements(HTMLParser):
    """The elements and texts of HTML in order."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        if tag not in ("html", "head", "body", "br"):
            self.found.append("<" + tag)

    def handle_endtag(self, tag):
        if tag == "ul":
            self.found.append("</ul")

    def handle_data(self, text):
        if text.strip():
            self.found.append(" ".join(text.split()))


def html_elements(text):
    """What stands in the fenced HTML of an answer, or None where there is none."""
    fenced = re.search(r"```html\s*(.*?)(?:```|$)", text, re.S)
    if not fenced:
        return None
    parser = _Elements()
    parser.feed(fenced.group(1))
    parser.close()
    return parser.found


def _number(element, name):
    try:
        return float(element.get(name, "0"))
    except ValueError:
        return 0.0


def diagram(text):
    """(boxes, arrows) of Draw.io's XML in an answer: boxes by their text, arrows as pairs of texts and the arrow's own; None
    where there is none that can be read."""
    found = re.search(r"<mxGraphModel.*</mxGraphModel>", text, re.S)
    try:
        cells = list(ElementTree.fromstring(found.group(0)).iter("mxCell")) if found else []
    except ElementTree.ParseError:
        return None
    names = {c.get("id"): c.get("value", "") for c in cells}
    boxes, arrows = {}, []
    for c in cells:
        geometry = c.find("mxGeometry")
        if c.get("edge"):
            arrows.append((names.get(c.get("source"), ""), names.get(c.get("target"), ""), c.get("value", "")))
        elif c.get("vertex") and geometry is not None:
            x, y, w, h = (_number(geometry, k) for k in ("x", "y", "width", "height"))
            boxes[c.get("value", "")] = (x, y, x + w, y + h)
    return (boxes, sorted(arrows)) if boxes else None


def same_structure(answer, expected):
    """Whether two answers hold the same HTML, or the same diagram."""
    if "```html" in expected:
        return html_elements(answer) == html_elements(expected)
    wanted = diagram(expected) if "<mxGraphModel" in expected else None
    given = diagram(answer) if wanted else None
    if not given or given[1] != wanted[1] or given[0].keys() != wanted[0].keys():
        return False
    return all(overlap(given[0][name], box) >= 0.5 for name, box in wanted[0].items())


def right(answer, expected, region=None):
    """Whether one answer is right by the rule above."""
    if answer.strip() == expected.strip() or same_structure(answer, expected):
        return True
    if not region:
        return False
    if "near" in region:
        return near(answer, expected, region["near"])
    v = numbers(answer)
    if "box" in region and len(v) == 4:
        return overlap(v, region["box"]) >= 0.5
    if "hit" in region and len(v) == 2:
        x1, y1, x2, y2 = region["hit"]
        return x1 <= v[0] <= x2 and y1 <= v[1] <= y2
    return False


def conversation_right(answers, expected, region=None):
    """Whether every turn of a conversation is right."""
    return len(answers) == len(expected) and all(right(a, e, region) for a, e in zip(answers, expected))


class Tally:
    """Right and asked, by task."""

    def __init__(self):
        self.by_task = defaultdict(lambda: [0, 0])

    def add(self, task, is_right):
        entry = self.by_task[task]
        entry[0] += bool(is_right)
        entry[1] += 1

    def total(self):
        return sum(v[0] for v in self.by_task.values()), sum(v[1] for v in self.by_task.values())

    def rate(self, task):
        good, asked = self.by_task[task]
        return good / asked if asked else 0.0

    def mean(self):
        """The mean over tasks, each counted alike: what the study's training log calls mean."""
        return sum(self.rate(t) for t in self.by_task) / max(1, len(self.by_task))

    def lines(self):
        """A table as text, best task first, the total last."""
        rows = sorted(self.by_task.items(), key=lambda kv: (-kv[1][0] / kv[1][1], kv[0]))
        out = [f"  {task:14s} {good:4d} / {asked:<4d} {100 * good / asked:5.1f} %" for task, (good, asked) in rows]
        good, asked = self.total()
        out.append(f"  {'all':14s} {good:4d} / {asked:<4d} {100 * good / max(1, asked):5.1f} %")
        return out
