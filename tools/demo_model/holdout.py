"""What training never shows: one rule for each kind of picture, by its facts, kept by the generator (pictures.make), by the pool of other
programs' pictures (render/facts.py) and by the evaluation set, whose pictures all are `unseen`.

An eighth of all texts, windows, tables, pages and diagrams, a sixth of all charts, a seventh of all sums, and seven pairs of colour and shape.
"""
import words
from words import UNSEEN_PAIRS, held_out


NEW_WORDS = """almond baker balcony barber basket blanket bottle breeze bronze bucket butcher butter button candle canyon captain carpet carrot
castle ceiling church clinic coconut college copper corridor cotton crystal curtain dancer desert diamond donkey driver elevator factory
farmer florist forest gallery garlic glacier guitar hammer harbor helmet honey horizon jacket judge jungle ladder lantern laundry lawyer
leather linen manager marble meadow mirror monkey needle onion painter palace parrot pasture pencil pepper pharmacy pillow pilot planet
plastic player plumber pumpkin rabbit reader referee rocket rubber sailor shovel silver singer slipper soldier stadium stairs stream student
studio sunrise sunset sweater teacher temple thread thunder tower turtle valley velvet village volcano waiter walnut waterfall winner""".split()
NEW_ZH_WORDS = """大门 天上 中午 书店 花店 茶馆 水果 口号 电视 电车 电子 火星 天地 人生 大人 生日 日出 日记 明星 海洋 海关 学期 学院 文学 广场 商场 市场
国王 出门 出发 入学 面试 早饭 晚饭 午饭 包子 饭店 果园 桃花 水电 水平 开心 关心 音量 手机 工人 停电 停车 公车 公开 服装 新年 房子 特色 票房 门票 车票
机票 单位 老家 名单 家园 校园 城门 西北 西南 天气 生气 太平 明亮 雨水 雪人 秋收 快车 乐园 中间 北门""".split()  # of characters that other words have


def unseen_line(text):
    """Whether training never shows this line of text: what is short or a known word cannot be kept from it."""
    if text in NEW_ZH_WORDS or text.lower() in NEW_WORDS and not text.isupper():  # in capitals it might come up as a code
        return True
    known = text in words.ZH_WORDS or text.lower() in words.WORDS
    return len(text) > 2 and not known and held_out(text)


def new_line(r):
    """A word, plain or capitalized, that training never shows."""
    word = r.choice(NEW_WORDS if r.random() < 0.6 else NEW_ZH_WORDS)
    return r.choice((word, word.capitalize()))


def of_window(f):
    parts = [f["title"]] + [b["label"] for b in f["buttons"]] + [c["label"] for c in f["checks"]]
    return held_out("|".join(parts + [x["label"] + "=" + x["value"] for x in f["fields"]]))


def of_page(f):
    return held_out("|".join(name + ":" + ("/".join(t) if isinstance(t, (list, tuple)) else t) for name, t in f["elements"]))


def any_pair(things):
    return any((t["colour"], t["shape"]) in UNSEEN_PAIRS for t in things)


RULES = dict(
    objects=lambda f: any_pair(f["objects"]),
    pair=lambda f: any_pair(f["objects"] + f["others"]),
    diagram=lambda f: held_out("|".join(n["label"] for n in f["nodes"]) + str([list(e) for e in f["edges"]])),
    text=lambda f: all(unseen_line(x["text"]) for x in f["lines"]),
    sums=lambda f: held_out(f"{f['a']}{f['op']}{f['b']}", 7),
    chart=lambda f: held_out(str([i["value"] for i in f["items"]]), 6),
    window=of_window,
    table=lambda f: held_out("|".join("/".join(row) for row in f["rows"])),
    page=of_page,
    video=lambda f: (f["colour"], f["shape"]) in UNSEEN_PAIRS,
)
REDRAWN = ("window", "table", "page", "diagram")  # kinds of which the generator itself keeps nothing back


def unseen(kind, facts):
    """Whether training never shows a picture with these facts."""
    return RULES[kind](facts)
