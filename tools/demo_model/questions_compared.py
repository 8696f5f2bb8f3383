"""Questions about pairs of pictures and about diagrams: what differs, what leads where. See questions_reading.py."""
from questions_reading import asked, en_zh, item
from words import COLOURS, SHAPES, article, name_of


def difference(facts):
    """What the second picture has that the first has not, or the other way round."""
    thing, change = facts["thing"], facts["change"]
    shape, zh_shape = thing["shape"], SHAPES[thing["shape"]]
    if change == "same":
        return en_zh("There is no difference.", "没有不同。")
    if change == "colour":
        a, b = thing["colour"], facts["other"]
        return en_zh(
            f"The {shape} is {a} in the first picture and {b} in the second.",
            f"{zh_shape}在第一张图里是{COLOURS[a][1]}的，在第二张图里是{COLOURS[b][1]}的。",
        )
    en, zh = ("second", "二") if change == "more" else ("first", "一")
    return en_zh(f"Only the {en} picture has {article(name_of(thing, 'en'))}.", f"只有第{zh}张图有{name_of(thing, 'zh')}。")


def whereabouts(r, facts):
    """A thing of either picture, and which of them have one."""
    pictures = [[(t["colour"], t["shape"]) for t in facts[k]] for k in ("objects", "others")]
    thing = r.choice(r.choice(pictures))
    if facts["change"] != "same" and r.random() < 0.6:
        thing = facts["thing"]["colour"], facts["thing"]["shape"]
    first, second = (thing in p for p in pictures)
    answer = en_zh("In both pictures.", "两张图里都有。") if first and second else None
    answer = answer or (en_zh("In the first picture.", "在第一张图里。") if first else en_zh("In the second picture.", "在第二张图里。"))
    return dict(colour=thing[0], shape=thing[1]), answer


def of_pair(r, scene):
    f = scene.facts
    a, b, same = len(f["objects"]), len(f["others"]), f["change"] == "same"
    yield item(r, "pair_diff", asked(r, "pair_difference", difference(f)))
    answer = en_zh("Yes, they show the same.", "是的，两张图一样。") if same else en_zh("No, they differ.", "不，两张图不一样。")
    yield item(r, "pair_same", asked(r, "pair_same", answer))
    more = "first" if a > b else "second", "一" if a > b else "二"
    if a == b:
        answer = en_zh(f"Both have {a}.", f"一样多，都是{a}个。")
    else:
        answer = en_zh(f"The {more[0]} picture has more: {a} and {b}.", f"第{more[1]}张图更多：{a}个和{b}个。")
    yield item(r, "pair_more", asked(r, "pair_more", answer))
    for _ in range(2):
        thing, answer = whereabouts(r, f)
        yield item(r, "pair_where", asked(r, "pair_where", answer, thing=en_zh(name_of(thing, "en"), name_of(thing, "zh"))))


def drawio(scene):
    """The diagram as the mxGraphModel that Draw.io opens: boxes in the order of reading, then arrows; coordinates are 0-1000
    of the picture in steps of 10."""
    nodes, style = scene.facts["nodes"], {"box": "", "rounded": '" style="rounded=1', "ellipse": '" style="ellipse'}
    out = ['<mxGraphModel><root><mxCell id="0"/><mxCell id="1" parent="0"/>']
    for i, n in enumerate(nodes, 2):
        x1, y1, x2, y2 = scene.box1000(n["box"])
        out.append(
            f'<mxCell id="{i}" value="{n["label"]}{style[n["shape"]]}" vertex="1" parent="1"><mxGeometry x="{x1}" y="{y1}" '
            f'width="{x2 - x1}" height="{y2 - y1}" as="geometry"/></mxCell>'
        )
    for i, (a, b) in enumerate(scene.facts["edges"], 2 + len(nodes)):
        out.append(
            f'<mxCell id="{i}" edge="1" parent="1" source="{a + 2}" target="{b + 2}">'
            '<mxGeometry relative="1" as="geometry"/></mxCell>'
        )
    return "```xml\n" + "\n".join(out + ["</root></mxGraphModel>"]) + "\n```"


def of_diagram(r, scene):
    nodes, edges = [n["label"] for n in scene.facts["nodes"]], scene.facts["edges"]
    n = len(nodes)
    for i in r.sample(range(n), 2):
        to = [nodes[b] for a, b in edges if a == i]
        answer = en_zh(f"{nodes[i]} points to {' and '.join(to) or 'nothing'}.", f"{nodes[i]}指向{'和'.join(to) or '空'}。")
        if not to:
            answer["zh"] = f"{nodes[i]}没有指向任何框。"
        yield item(r, "diagram_arrow", asked(r, "diagram_to", answer, name=nodes[i]))
        of = [nodes[a] for a, b in edges if b == i]
        if len(of) < 2:
            verb = f"points to {nodes[i]}."
            answer = en_zh(f"{of[0]} {verb}", f"{of[0]}指向{nodes[i]}。") if of else en_zh("Nothing " + verb, f"没有框指向{nodes[i]}。")
            yield item(r, "diagram_arrow", asked(r, "diagram_from", answer, name=nodes[i]))
    yield item(r, "diagram_list", asked(r, "diagram_list", "\n".join(nodes)))
    yield item(r, "diagram_count", asked(r, "diagram_count", en_zh(f"There are {n} boxes.", f"有{n}个框。")))
    yield item(r, "drawio", asked(r, "drawio", drawio(scene)), region={"near": 40})
    described = en_zh(f"This is a diagram of {n} boxes: {', '.join(nodes)}.", f"这是一个流程图，有{n}个框：{'、'.join(nodes)}。")
    yield item(r, "scene", asked(r, "describe", described))
