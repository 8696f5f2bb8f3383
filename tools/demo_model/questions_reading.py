"""Questions about text, sums, charts, windows, tables, pages and videos. See questions.py, which makes Conversations of
these."""
from words import COLOURS, MOVES, SHAPES, zh_pair
from wordings import say

ORDINALS = (("first", "一"), ("second", "二"), ("third", "三"), ("fourth", "四"), ("fifth", "五"), ("sixth", "六"))


def item(r, task, make, **more):
    """A conversation of one turn in either language; make(language) gives question and answer."""
    language = r.choice(("en", "zh"))
    return dict(task=task, language=language, turns=[make(language)], **more)


def en_zh(english, chinese):
    """Both answers; the language picks."""
    return {"en": english, "zh": chinese}


def asked(r, wording, answers, /, **fields):
    """make() for item: the wording asked and the answer in the same language. A field may be a pair of English and
    Chinese."""

    def make(language):
        own = {k: v[language] if isinstance(v, dict) else v for k, v in fields.items()}
        return say(r, wording, language, **own), answers[language] if isinstance(answers, dict) else answers

    return make


def point_answer(x, y, label):
    return '```json\n{"point_2d": [%d, %d], "label": "%s"}\n```' % (x, y, label)


def of_text(r, scene):
    lines = [line["text"] for line in scene.facts["lines"]]
    whole, colour, n = "\n".join(lines), scene.facts["colour"], len(lines)
    digits = whole.replace("\n", "").isdigit()
    full = scene.facts.get("full", False)
    if full:
        yield item(r, "ocr_all", asked(r, "read", whole))
    else:
        for _ in range(2):
            yield item(
                r,
                "ocr_digits" if digits else "ocr_text",
                asked(r, "number" if digits and n == 1 and r.random() < 0.5 else "read", whole),
            )
    if n > 1:
        for _ in range(2 if full else 1):
            i = r.randrange(n)
            yield item(r, "ocr_line", asked(r, "line", lines[i], en=ORDINALS[i][0], zh=ORDINALS[i][1], n=i + 1))
    if n > 1 or r.random() < 0.2:
        yield item(
            r,
            "ocr_line",
            asked(r, "lines", en_zh("There is 1 line." if n == 1 else f"There are {n} lines.", f"有{n}行。")),
        )
    if n == 1 and " " not in whole and len(whole) > 1:
        yield item(
            r, "ocr_count", asked(r, "characters", en_zh(f"There are {len(whole)} characters.", f"有{len(whole)}个字符。"))
        )
    if n == 1:
        yield item(r, "scene", asked(r, "describe", en_zh(f"The image shows the text: {whole}", f"图中的文字是：{whole}")))
    yield item(r, "ocr_color", asked(r, "text_colour", en_zh(f"The text is {colour}.", f"文字是{COLOURS[colour][1]}的。")))
    if r.random() < 0.4:
        language = r.choice(("en", "zh"))
        first = say(r, "read", language), whole
        second = asked(r, "text_colour", en_zh(f"The text is {colour}.", f"文字是{COLOURS[colour][1]}的。"))(language)
        yield dict(task="multi", language=language, turns=[first, second])


def reasoning(a, op, b, result, language):
    """The steps that a pupil writes, column by column."""
    zh, stop = language == "zh", "。" if language == "zh" else "."
    out = [f"图中的算式是 {a} {op} {b}。" if zh else f"The image shows {a} {op} {b}."]
    a1, a0, b1, b0 = a // 10, a % 10, b // 10, b % 10
    ones, tens = ("个位：", "十位：") if zh else ("Ones: ", "Tens: ")
    if op == "×":
        out.append(f"{a} × {b} = {result}{stop}")
    elif op == "+":
        carry = (a0 + b0) // 10
        out.append(f"{ones}{a0} + {b0} = {a0 + b0}" + (("，进1" if zh else ", carry 1") if carry else "") + stop)
        if a1 or b1:
            out.append(f"{tens}{a1} + {b1}{' + 1' if carry else ''} = {a1 + b1 + carry}{stop}")
    else:
        borrow = int(a0 < b0)
        out.append(
            f"{ones}{a0 + 10 * borrow} - {b0} = {a0 + 10 * borrow - b0}"
            + (("，借1" if zh else ", borrow 1") if borrow else "")
            + stop
        )
        if a1 or b1:
            out.append(f"{tens}{a1} - {b1}{' - 1' if borrow else ''} = {a1 - b1 - borrow}{stop}")
    out.append(f"所以答案是 {result}。" if zh else f"So the answer is {result}.")
    return "\n".join(out)


def of_sums(r, scene):
    f = scene.facts
    a, op, b, result = f["a"], f["op"], f["b"], f["result"]
    plain = f"{a} {op} {b}"
    yield item(r, "ocr_text", asked(r, "expression", plain))
    yield item(r, "scene", asked(r, "describe", en_zh(f"The image shows the expression {plain}.", f"图中的算式是 {plain}。")))
    for language in ("en", "zh"):
        answer = f"{plain} = {result}"
        yield dict(task="arith", language=language, turns=[(say(r, "sum", language), answer)])
        thought = f"<think>\n{reasoning(a, op, b, result, language)}\n</think>\n\n{answer}"
        yield dict(task="think", language=language, turns=[(say(r, "sum", language), thought)], thinking=True)


PARTS = {  # one and more of a chart's parts, and the chart itself
    "bar": (("bar", "bars"), "柱子", "bar chart", "柱状图"),
    "lying": (("bar", "bars"), "柱子", "bar chart", "条形图"),
    "line": (("point", "points"), "点", "line chart", "折线图"),
    "pie": (("slice", "slices"), "扇形", "pie chart", "饼图"),
}


def difference(a, b):
    """Both values first: a difference out of nothing is a guess."""
    more = a["value"] - b["value"]
    return en_zh(
        f"{a['name']} is {a['value']} and {b['name']} is {b['value']}, so the difference is {more}.",
        f"{a['name']}是{a['value']}，{b['name']}是{b['value']}，相差{more}。",
    )


def of_chart(r, scene):
    items, kind = scene.facts["items"], scene.facts["type"]
    (one, many), zh, whole, zh_whole = PARTS[kind]
    high, low = max(items, key=lambda i: i["value"]), min(items, key=lambda i: i["value"])
    for top, en, cn, size, big in ((high, "highest", "高", "largest", "大"), (low, "lowest", "低", "smallest", "小")):
        if kind in ("lying", "pie"):
            en, cn = ("largest", "大") if top is high else ("smallest", "小")
        # The answer's word is fixed per end, whatever the question called it.
        word, zh_word = ("highest", "高") if top is high else ("lowest", "低")
        answer = en_zh(
            f"{top['name']} is the {word}, with a value of {top['value']}.",
            f"{top['name']}最{zh_word}，数值是{top['value']}。",
        )
        yield item(
            r, "chart_max", asked(r, "chart_extreme", answer, bar=en_zh(one, zh), en=en, size=size, zh=cn, big=big)
        )
    for i in r.sample(items, 2):
        yield item(
            r,
            "chart_val",
            asked(
                r,
                "chart_value",
                en_zh(f"The value of {i['name']} is {i['value']}.", f"{i['name']}的数值是{i['value']}。"),
                name=i["name"],
            ),
        )
    yield item(r, "chart_list", asked(r, "chart_list", "\n".join(f"{i['name']}: {i['value']}" for i in items)))
    n, names = len(items), [i["name"] for i in items]
    yield item(
        r,
        "scene",
        asked(
            r,
            "describe",
            en_zh(
                f"This is a {whole} of {n} {many}: {', '.join(names)}.", f"这是一个{zh_whole}，有{n}个{zh}：{'、'.join(names)}。"
            ),
        ),
    )
    if scene.facts["title"]:
        yield item(r, "chart_title", asked(r, "chart_title", scene.facts["title"]))
    a, b = sorted(r.sample(items, 2), key=lambda i: -i["value"])
    yield item(r, "chart_diff", asked(r, "chart_difference", difference(a, b), a=a["name"], b=b["name"]))
    yield item(
        r, "chart_count", asked(r, "chart_count", en_zh(f"There are {n} {many}.", f"有{n}个{zh}。"), bars=en_zh(many, zh))
    )
    if not scene.facts["one_colour"]:
        i, c = r.choice(items), COLOURS
        en = f"Bar {i['name']} is {i['colour']}." if one == "bar" else f"{i['name']} is {i['colour']}."
        cn = f"{i['name']}的柱子是{c[i['colour']][1]}的。" if one == "bar" else f"{i['name']}是{c[i['colour']][1]}的。"
        yield item(r, "chart_color", asked(r, "chart_colour", en_zh(en, cn), name=i["name"]))


def of_window(r, scene):
    f = scene.facts

    def centre(box):
        x1, y1, x2, y2 = scene.box1000(box)
        return (x1 + x2) // 20 * 10, (y1 + y2) // 20 * 10

    for b in f["buttons"]:
        yield item(
            r,
            "click",
            asked(r, "click", point_answer(*centre(b["box"]), b["label"]), name=b["label"]),
            region={"hit": scene.box1000(b["box"])},
        )
    for x in f["fields"]:
        if r.random() < 0.5:
            yield item(
                r,
                "click",
                asked(r, "click_field", point_answer(*centre(x["box"]), x["label"]), name=x["label"]),
                region={"hit": scene.box1000(x["box"])},
            )
        yield item(r, "gui_read", asked(r, "field", x["value"] or en_zh("It is empty.", "是空的。"), name=x["label"]))
    yield item(r, "gui_read", asked(r, "title", f["title"]))
    title = en_zh(f"This is a window with the title {f['title']}.", f"这是一个窗口，标题是{f['title']}。")
    yield item(r, "scene", asked(r, "describe", title))
    n = len(f["buttons"])
    yield item(
        r,
        "gui_read",
        asked(r, "buttons", en_zh("There is 1 button." if n == 1 else f"There are {n} buttons.", f"有{n}个按钮。")),
    )
    for c in f["checks"]:
        answer = en_zh("Yes, it is checked.", "已勾选。") if c["on"] else en_zh("No, it is not checked.", "没有勾选。")
        yield item(r, "gui_read", asked(r, "check", answer, name=c["label"]))
    parts = ["title: " + f["title"]] + ["menu: " + m["label"] for m in f["menus"]]
    parts += ["text field: " + x["label"] + (" = " + x["value"] if x["value"] else "") for x in f["fields"]]
    parts += [f"checkbox: {c['label']} ({'checked' if c['on'] else 'unchecked'})" for c in f["checks"]]
    parts += ["button: " + b["label"] for b in f["buttons"]]
    yield item(r, "gui_list", asked(r, "controls", "\n".join("- " + p for p in parts)))


def of_table(r, scene):
    header, rows = scene.facts["header"], scene.facts["rows"]
    for _ in range(3):
        row, column = r.choice(rows), r.randrange(1, len(header))
        yield item(r, "table_cell", asked(r, "cell", row[column], name=row[0], column=header[column]))
    firsts = [row[0] for row in rows]
    described = en_zh(
        f"This is a table of {len(rows)} rows: {', '.join(firsts)}.", f"这是一个表格，有{len(rows)}行：{'、'.join(firsts)}。"
    )
    yield item(r, "scene", asked(r, "describe", described))
    lines = [header, ["---"] * len(header)] + rows
    yield item(r, "table_read", asked(r, "table", "\n".join("| " + " | ".join(x) + " |" for x in lines)))


def of_page(r, scene):
    out = []
    for element, text in scene.facts["elements"]:
        if element == "ul":
            out += ["<ul>"] + [f"<li>{t}</li>" for t in text] + ["</ul>"]
        else:
            out.append(f"<{element}>" + (f"{text}</{element}>" if element not in ("img", "input") else ""))
    yield item(r, "html", asked(r, "html", "```html\n" + "\n".join(out) + "\n```"))
    heading = scene.facts["elements"][0][1]
    yield item(r, "page_read", asked(r, "heading", heading))
    described = en_zh(f"This is a web page with the heading {heading}.", f"这是一个网页，标题是{heading}。")
    yield item(r, "scene", asked(r, "describe", described))


def of_video(r, scene):
    f = scene.facts
    shape, pair = en_zh(f["shape"], SHAPES[f["shape"]]), en_zh(
        f"{f['colour']} {f['shape']}", zh_pair(f["colour"], f["shape"])
    )
    t, zh = f"{f['at']:.1f}", {c: COLOURS[c][1] for c in (f["colour"], f["other"])}
    if f["event"] == "move":
        answer = en_zh(
            f"The {pair['en']} moves {MOVES[f['direction']][0]}.", f"{pair['zh']}向{MOVES[f['direction']][1]}移动。"
        )
        asked_for = "vid_move", "video_move", {}
    elif f["event"] == "change":
        answer = en_zh(
            f"The {f['shape']} changes from {f['colour']} to {f['other']} at {t} seconds.",
            f"{shape['zh']}在{t}秒从{zh[f['colour']]}变成{zh[f['other']]}。",
        )
        asked_for = "vid_time", "video_change", {}
    else:
        verb = en_zh("appear", "出现") if f["event"] == "appear" else en_zh("disappear", "消失")
        answer = en_zh(f"The {pair['en']} {verb['en']}s at {t} seconds.", f"{pair['zh']}在{t}秒{verb['zh']}。")
        asked_for = "vid_time", "video_time", {"verb": verb}
    task, wording, more = asked_for
    yield item(r, task, asked(r, wording, answer, shape=shape, thing=pair, **more))
    yield item(r, task, asked(r, wording, answer, shape=shape, thing=pair, **more))
    yield item(r, "vid_desc", asked(r, "video_describe", answer))
    yield item(r, "vid_obj", asked(r, "video_shape", en_zh(f"It is a {f['shape']}.", f"是{SHAPES[f['shape']]}。")))
