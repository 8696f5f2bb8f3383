"""How people ask: for every task hundreds of wordings in English and Chinese, and what haste does to them.

    say(r, "colour", "en", thing="star")  ->  "hey, what colour is the star"

A model trained on a few wordings answers only those: the feasibility study's was right 41 % of the time in its own
wordings and 8 % in natural ones. So wordings differ in grammar (questions, orders, fragments), politeness, spelling
(colour and color), case, slips and punctuation.

A line of wordings is a template: `[a|b|]` is one of these, `<in>` one of PARTS["in"], `{thing}` a field. What comes of it
with the fields still open is a skeleton. A tenth of the skeletons, by their text, is kept out of training; only
HeldOutWordings draws those, and nothing else.
"""
import functools
import itertools
import random
import re
from typing import NamedTuple

from words import held_out

TEXT = {}
HELD_OUT = 10  # one skeleton in so many
PARTS = {
    "in": "|||in the picture|in the image|in this picture|in this image|in the photo|here|on the picture",
    "chart": "||in the chart|in this chart|in the graph|in the diagram|here",
    "shot": "||in the screenshot|in the window|in this window|on the screen|here",
    "table": "||in the table|in this table|here",
    "图": "||图中|图里|图片里|图片中|这张图里|画面中",
    "表": "||图表中|图表里|图中|这个图里",
    "哪": "哪里|哪儿|哪|什么地方|什么位置|图的哪里",
    "看": "|看出|告诉我|说说",
}
_PART = re.compile(r"\[([^\]]*)\]|<([^>]*)>")


class HeldOutWordings(random.Random):
    """Random numbers that ask in the wordings training never shows: conversations(HeldOutWordings(1), scene)."""


class Template(NamedTuple):
    fixed: tuple  # the texts between the alternatives
    choices: tuple  # the alternatives, a tuple of texts for each gap
    weight: float  # how often it is taken: a template of many skeletons more often, but not by as many

    def skeleton(self, chosen):
        text = self.fixed[0] + "".join(c + f for c, f in zip(chosen, self.fixed[1:]))
        return re.sub(r" +([?,.]|$)", r"\1", re.sub(r"  +", " ", text)).strip(" ,")


def template(line):
    line = re.sub(r"<(\w+)>(?=[^\[]*\])", lambda m: PARTS[m[1]], line)  # a part among alternatives
    pieces = _PART.split(line)  # fixed, alternatives or None, name of a part or None, fixed, ...
    choices = tuple(tuple((a if a is not None else PARTS[p]).split("|")) for a, p in zip(pieces[1::3], pieces[2::3]))
    skeletons = 1
    for c in choices:
        skeletons *= len(set(c))
    return Template(tuple(pieces[::3]), choices, min(6.0, skeletons**0.5))


def task(name, english, chinese):
    TEXT[name] = {"en": [], "zh": []}
    more(name, english, chinese)


def more(name, english, chinese):
    """Further templates of a task."""
    for language, text in (("en", english), ("zh", chinese)):
        TEXT[name][language] += [template(x.strip()) for x in text.strip().splitlines()]


@functools.lru_cache(maxsize=200_000)
def kept_out(name, language, skeleton):
    """Whether a skeleton, however capitalised and with whatever at its end, is kept out of training."""
    return held_out(f"{name} {language} {bare(skeleton)}", HELD_OUT)


def bare(text):
    """A text without what careless() may change."""
    return text.lower().rstrip(" .?!。？")


def skeletons(name, language, held_out=False):
    """All skeletons of a task, those kept out of training or the others."""
    every = {t.skeleton(c) for t in TEXT[name][language] for c in itertools.product(*map(set, t.choices))}
    return sorted(s for s in every if kept_out(name, language, s) == held_out)


@functools.lru_cache(maxsize=None)
def weights(name, language):
    return [t.weight for t in TEXT[name][language]]


def say(r, wording, language, /, **fields):
    """One wording of the task with its fields put in, sometimes politer, sometimes careless. A HeldOutWordings for r
    takes it from those kept out of training."""
    wanted = isinstance(r, HeldOutWordings)
    while True:
        t = r.choices(TEXT[wording][language], weights(wording, language))[0]
        skeleton = t.skeleton([r.choice(c) for c in t.choices])
        if kept_out(wording, language, skeleton) == wanted:
            break
    text = slip(r, skeleton, language).format(**fields)
    return careless(r, polite(r, finished(r, text, t, language), language), language)


def finished(r, text, t, language):
    """What a composed line leaves open: a capital letter and a full stop, at times."""
    if not t.choices:
        return text
    if r.random() < 0.45 and t.fixed[0][:1] != "{":
        text = text[0].upper() + text[1:]
    if r.random() < 0.3 and text[-1].isalpha():
        text += "。" if language == "zh" else "."
    return text


HASTE = {"you": "u", "please": "pls", "picture": "pic", "are": "r", "the": "teh", "what is": "wat is", "image": "img", "text": "txt"}
HASTE_ZH = {"吗": "嘛", "哪": "那", "在": "再", "的": "得", "什么": "甚么", "多少": "多小"}


def slip(r, skeleton, language):
    """At times one slip of the keys, never in a field's name."""
    if r.random() > 0.09:
        return skeleton
    if language == "zh" or r.random() < 0.4:
        table = HASTE_ZH if language == "zh" else HASTE
        found = [w for w in table if (w in skeleton if language == "zh" else re.search(rf"\b{w}\b", skeleton))]
        if not found:
            return skeleton
        word = r.choice(found)
        return re.sub(word if language == "zh" else rf"\b{word}\b", table[word], skeleton, count=1)
    words = [m for m in re.finditer(r"\{\w+\}|[a-z]{4,}", skeleton) if m.group()[0] != "{"]
    if not words:
        return skeleton
    first = r.choice(words).start() + r.randrange(3)
    a, b, how = skeleton[first], skeleton[first + 1], r.random()
    return skeleton[:first] + (b + a if how < 0.5 else b if how < 0.8 else a + a + b) + skeleton[first + 2 :]


EN_BEFORE = [
    "Please tell me: ",
    "Hey, ",
    "Hi! ",
    "Quick question: ",
    "Look at the picture. ",
    "Excuse me, ",
    "Tell me, ",
    "Ok, ",
    "So ",
    "Now: ",
]
EN_AFTER = [" Thanks!", " please", " Please answer briefly.", " Thank you."]
ZH_BEFORE = ["请问", "请问一下，", "你好，", "麻烦看一下，", "帮我看看，", "请看图。", "那么", "问一下，"]
ZH_AFTER = ["谢谢", "谢谢！", "请回答。"]


def polite(r, text, language):
    before, after = (EN_BEFORE, EN_AFTER) if language == "en" else (ZH_BEFORE, ZH_AFTER)
    if r.random() < 0.12 and not text.startswith(("请", "Please", "帮我")):
        first = r.choice(before)
        keep = first.endswith((". ", "! ", "。")) or language == "zh" or text[1:2].isupper() or text.startswith("I ")
        text = first + (text if keep else text[0].lower() + text[1:])
    if r.random() < 0.06:
        text += r.choice(after)
    return text


def careless(r, text, language):
    """Lower case, no punctuation, doubled marks, the other alphabet's question mark. Names in quotes keep their
    case."""
    if r.random() < 0.22 and text and text[-1] in ".?。？":
        text = text[:-1]
    elif r.random() < 0.05 and text.endswith(("?", "？")):
        text = text[:-1] + r.choice(("??", " ?", "?!")) if language == "en" else text[:-1] + r.choice(("?", "？？"))
    if language == "en" and r.random() < 0.22 and '"' not in text:
        text = text[0].lower() + text[1:]
    return text


task(
    "colour",
    """What color is the {thing}?
What colour is the {thing}?
What is the color of the {thing}?
Tell me the color of the {thing}.
Which color does the {thing} have?
What's the {thing}'s color?
Can you tell what color the {thing} is?
Could you tell me the colour of the {thing}?
The {thing} is what color?
color of the {thing}?
Name the color of the {thing}.
The {thing}: which color?
In what color is the {thing} drawn?
I can't tell, what color is that {thing}?
Identify the color of the {thing} in this image.
What color does the {thing} have?
Give me the {thing}'s colour.
Look at the {thing}. What color is it?""",
    """{thing}是什么颜色？
图中的{thing}是什么颜色的？
{thing}的颜色是什么？
告诉我{thing}的颜色。
{thing}什么颜色？
{thing}是啥颜色的？
图里的{thing}是哪种颜色？
你能看出{thing}的颜色吗？
说说{thing}的颜色。
这个{thing}是什么色的？
看一下{thing}，是什么颜色？
{thing}用的是什么颜色？
{thing}的颜色？
那个{thing}是什么颜色的？
请说出{thing}的颜色。
图片中{thing}的颜色是哪一种？""",
)
task(
    "shape",
    """What shape is the {colour} object?
What is the shape of the {colour} object?
Which shape is {colour}?
What is the {colour} thing?
What shape does the {colour} one have?
The {colour} object is what shape?
Tell me the shape of the {colour} object.
what's the {colour} shape called?
Name the shape that is {colour}.
Identify the {colour} shape.
Can you say what shape the {colour} figure is?
Which figure is drawn in {colour}?
What is drawn in {colour}?
What kind of shape is the {colour} one?
I see something {colour}. What is it?
Could you name the {colour} figure?""",
    """{colour}的物体是什么形状？
{colour}物体的形状是什么？
图中{colour}的是什么形状？
{colour}的是什么？
{colour}的图形是什么形状？
哪个形状是{colour}的？
告诉我{colour}物体的形状。
{colour}那个是什么图形？
说出{colour}图形的名称。
{colour}的东西是什么形状的？
图里{colour}的图案是什么？
你看{colour}的那个是什么形状？
识别{colour}的形状。
{colour}的那一个叫什么？
什么图形是{colour}的？""",
)
task(
    "count",
    """How many objects are there?
How many shapes are in the image?
Count the objects.
How many objects can you see in the picture?
How many things are in this picture?
What is the number of objects?
Count the shapes, please.
how many shapes
How many figures do you see?
Give me the number of shapes in the picture.
Can you count the objects for me?
How many items does the image contain?
Tell me how many objects there are.
In total, how many shapes are shown?
What's the total count of objects?
The picture has how many shapes?""",
    """图中有几个物体？
图片里一共有多少个图形？
数一数有几个物体。
有多少个物体？
一共几个？
这张图里有多少东西？
图里有几个图形？
总共有多少个物体？
帮我数一下有几个图形。
物体的数量是多少？
你能数出几个物体？
图片中物体有几个？
请数一下图形的个数。
图中的图形总数是多少？
有几个形状？""",
)
task(
    "count_attr",
    """How many {things} are there?
Count the {things}.
How many {things} can you see?
How many {things} does the picture have?
What is the number of {things}?
Are there any {things}, and how many?
Tell me how many {things} there are.
how many {things}
Give me the count of {things}.
Can you count the {things}?
How many {things} do you find in the image?
I need the number of {things}.
In the picture, how many {things} are there?
How many {things} are shown?
The number of {things}?""",
    """有几个{things}？
图中有多少个{things}？
数一数{things}。
{things}有几个？
图中{things}有多少个？
一共有几个{things}？
你看到了几个{things}？
{things}的数量是多少？
帮我数数{things}。
图片里{things}一共多少个？
请数一下{things}的个数。
有多少个{things}？
{things}总共几个？
说说有几个{things}。
图里能找到几个{things}？""",
)
task(
    "exist",
    """Is there a {thing}?
Can you see a {thing}?
Does the image contain a {thing}?
Is a {thing} in the picture?
Is there any {thing} here?
Do you see a {thing}?
Does this picture show a {thing}?
Any {thing}?
Can a {thing} be found in the image?
Have we got a {thing} in the picture?
Check whether there is a {thing}.
Tell me if there's a {thing}.
Is a {thing} visible?
I am looking for a {thing}. Is there one?
Does a {thing} appear in this image?""",
    """有{thing}吗？
图中有没有{thing}？
能看到{thing}吗？
图片里有{thing}吗？
是否有{thing}？
存在{thing}吗？
这里有没有{thing}？
你看到{thing}了吗？
图里能找到{thing}吗？
帮我看看有没有{thing}。
是不是有一个{thing}？
检查一下有没有{thing}。
画面中有{thing}吗？
我在找{thing}，有吗？
图中是否出现了{thing}？""",
)
task(
    "where",
    """Where is the {thing}?
Where in the image is the {thing}?
In which part of the picture is the {thing}?
What is the position of the {thing}?
Tell me where the {thing} is.
where's the {thing}
In what area can I find the {thing}?
Whereabouts is the {thing}?
Where can the {thing} be found?
Which corner or side is the {thing} in?
The {thing} is where in the picture?
Describe the location of the {thing}.
Where do you see the {thing}?
Where should I look for the {thing}?
Could you say where the {thing} is?""",
    """{thing}在哪里？
{thing}在图片的什么位置？
{thing}在哪？
{thing}位于图中什么地方？
告诉我{thing}在哪里。
{thing}的位置是哪里？
图中{thing}在哪个位置？
我在哪里能找到{thing}？
{thing}在哪一块？
请说明{thing}的位置。
{thing}处在图片的哪里？
你看到{thing}在哪里？
在图片的哪个部分可以看到{thing}？
说说{thing}在什么位置。
{thing}在图的哪边？""",
)
task(
    "relation",
    """Where is the {a} relative to the {b}?
What is the position of the {a} relative to the {b}?
Where is the {a} compared with the {b}?
On which side of the {b} is the {a}?
How is the {a} placed relative to the {b}?
Seen from the {b}, where is the {a}?
In which direction from the {b} is the {a}?
Tell me where the {a} is with respect to the {b}.
Which side of the {b} is the {a} on?
Describe the position of the {a} relative to the {b}.
Is the {a} left, right, above or below the {b}?
relative to the {b}, where's the {a}?
Where does the {a} lie from the {b}?
The {a} is on what side of the {b}?
Where do I find the {a} if I start at the {b}?""",
    """{a}在{b}的哪个方向？
{a}在{b}的哪一边？
{a}相对于{b}在哪里？
{a}位于{b}的什么方位？
从{b}看，{a}在哪边？
{a}在{b}的什么位置？
{a}在{b}的上下左右哪一边？
说说{a}和{b}的位置关系。
以{b}为参照，{a}在哪个方向？
{a}是在{b}的左边、右边、上方还是下方？
{b}的哪一边是{a}？
告诉我{a}在{b}的哪边。
{a}在{b}的哪里？
请问{a}在{b}哪个方向？
相对{b}来说，{a}在哪？""",
)
task(
    "relation_check",
    """Is the {a} {side} the {b}?
Would you say the {a} is {side} the {b}?
Is it true that the {a} is {side} the {b}?
Does the {a} lie {side} the {b}?
The {a} is {side} the {b}, right?
Check: is the {a} {side} the {b}?
Can you confirm that the {a} is {side} the {b}?
Is the {a} really {side} the {b}?
Do you see the {a} {side} the {b}?
is {a} {side} {b}?
True or not: the {a} is {side} the {b}?
Am I right that the {a} is {side} the {b}?
Look: is the {a} {side} the {b}?
Is the {a} placed {side} the {b}?
Tell me whether the {a} is {side} the {b}.""",
    """{a}在{b}的{side}吗？
{a}是在{b}的{side}吗？
{a}是不是在{b}的{side}？
{a}在不在{b}的{side}？
{a}位于{b}的{side}，对吗？
{a}在{b}{side}吗？
确认一下，{a}在{b}的{side}吗？
是否{a}在{b}的{side}？
我觉得{a}在{b}的{side}，对吗？
看看{a}是否在{b}的{side}。
{b}的{side}是{a}吗？
{a}真的在{b}的{side}吗？
判断：{a}在{b}的{side}。
{a}处于{b}的{side}吗？
{a}是否位于{b}的{side}？""",
)
task(
    "extreme",
    """What is the {end} object?
Which object is the {end} one?
Which object is {end}?
What do you see {end}?
Name the {end} object.
Tell me the {end} shape.
Which shape is the {end}?
The {end} object is what?
What is the {end} thing in the picture?
What's the {end} figure?
Identify the {end} object.
Find the {end} object. What is it?
which one is {end}
Can you name the {end} shape?
What object is placed {end}?""",
    """{end}的物体是什么？
{end}是什么？
{end}的是什么图形？
哪个物体在{end}？
图中{end}的物体是哪个？
说出{end}的物体。
{end}的那个是什么？
{end}有什么？
请说出图片{end}的图形。
位于{end}的是什么？
告诉我{end}的图形。
{end}是哪个图形？
{end}的东西是什么？
找出{end}的物体。
{end}那个物体是什么？""",
)
task(
    "describe",
    """Describe the image.
What is in the picture?
What do you see?
Please describe this picture from left to right.
What does the picture show?
What's in this image?
Tell me about this picture.
Give me a description of the image.
Can you describe what you see?
what is this
Caption this image.
Write a caption for the picture.
List the objects from left to right.
What can be seen here?
Explain what is in the image.
Which objects are there, from left to right?
Summarize the picture.
What objects does the image contain?
Describe this.
What am I looking at?""",
    """描述一下这张图片。
图片里有什么？
你看到了什么？
请从左到右描述图片。
这是什么？
这张图里有什么东西？
说说图中的内容。
介绍一下这张图。
图上画了什么？
看图说话。
帮我描述这幅图。
图中有哪些物体？
从左到右有哪些图形？
请描述图像内容。
给这张图写个说明。
画面上有什么？
你能看到哪些东西？
讲讲这张图片。""",
)
task(
    "ground",
    """Locate the {thing} and output its bounding box in JSON.
Where is the {thing}? Answer with a bbox in JSON format.
Detect the {thing}, output JSON.
Give the bounding box of the {thing}.
Output the bounding box of the {thing} as JSON.
Find the {thing} and return its bbox_2d.
Return the coordinates of the {thing} in JSON.
Ground the {thing}.
Locate the {thing}, report the bbox coordinates in JSON format.
Draw a box around the {thing}: give its coordinates.
What is the bounding box of the {thing}?
Detect: {thing}. Format: JSON with bbox_2d and label.
Please mark the {thing} with a bounding box.
bbox of the {thing}?
Show me exactly where the {thing} is with a box in JSON.
I need the {thing}'s bounding box.""",
    """定位{thing}，以JSON格式输出边界框。
检测图中的{thing}，输出JSON。
请给出{thing}的边界框坐标。
用JSON格式输出{thing}的位置。
框出{thing}。
框出图中{thing}的位置，以JSON格式输出坐标。
输出{thing}的bbox坐标。
找到{thing}并返回边界框。
{thing}的边界框是什么？
请用方框标出{thing}，输出JSON。
返回{thing}的坐标，JSON格式。
给我{thing}的检测框。
检测{thing}。
标出{thing}的bbox_2d。
定位图中的{thing}。""",
)
