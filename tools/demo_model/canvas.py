"""Drawing for the generated pictures: a canvas at up to four times the size, grounds, fonts, and the damage that real
pictures carry.

A canvas draws in units (the final pixels) on a picture `scale` times larger, then scales down as a processor would: so
edges come hard, soft, or ringing, as they do from other programs. Everything drawn may be tagged with what it is; the
vision tower is first trained to name the tags (train.py, stage vision).

Fonts are looked for below QVL_DEMO_FONTS or /usr/share/fonts. Debian's packages: fonts-dejavu, fonts-liberation,
fonts-freefont-ttf, fonts-noto-core, fonts-noto-cjk, fonts-wqy-microhei, fonts-open-sans, fonts-roboto-unhinted,
fonts-lato, fonts-ubuntu (non-free), fonts-comic-neue, fonts-firacode. The more are installed, the better the model
reads; DejaVu and Noto CJK are the least it takes.
"""
import functools
import glob
import io
import math
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

LATIN = [
    "DejaVuSans*.ttf",
    "DejaVuSerif*.ttf",
    "LiberationS*.ttf",
    "LiberationMono*.ttf",
    "FreeS*.ttf",
    "FreeMono*.ttf",
    "NotoSans-*.ttf",
    "NotoSerif-*.ttf",
    "OpenSans-*.ttf",
    "Roboto-*.ttf",
    "Lato-*.ttf",
    "Ubuntu-*.ttf",
    "ComicNeue-*.otf",
    "FiraCode-*.ttf",
]
CJK = ["NotoSansCJK-*.ttc", "NotoSerifCJK-*.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallback*.ttf"]
PLACED, ORDERED = 6, "0123456789+-×=ABCDEFGHJKLMNPQRSTUVWXYZ"  # characters that come in no known order
THIN = ("ExtraLight", "Thin", "Hairline", "Math", "Oblique", "Italic")  # unreadable at the sizes drawn here


@functools.lru_cache(maxsize=1)
def fonts():
    """(Latin fonts, Chinese fonts): paths found on this machine."""
    root = os.environ.get("QVL_DEMO_FONTS", "/usr/share/fonts")

    def find(patterns):
        found = {p for x in patterns for p in glob.glob(os.path.join(root, "**", x), recursive=True)}
        return sorted(p for p in found if not any(t in os.path.basename(p) for t in THIN))

    latin, cjk = find(LATIN), find(CJK)
    if not latin or not cjk:
        raise SystemExit(f"no fonts below {root}: install fonts-dejavu and fonts-noto-cjk, or set QVL_DEMO_FONTS")
    return latin, cjk


@functools.lru_cache(maxsize=4096)
def font(path, size):
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)  # shaping costs more than drawing


def font_pixels(size):
    """A font's size in whole pixels, the large ones in larger steps, so that opened fonts are found again."""
    size = max(6, round(size))
    return size if size < 32 else size // 2 * 2 if size < 64 else size // 4 * 4


@functools.lru_cache(maxsize=100_000)
def ink(path, size, text):
    """(left, top, right, bottom) of a text's ink in pixels."""
    return font(path, size).getbbox(text)


@functools.lru_cache(maxsize=100_000)
def advance(path, size, character):
    return font(path, size).getlength(character)


@functools.lru_cache(maxsize=1)
def noise():
    """A store of grain: normal values of spread 64. Drawing fresh ones would cost more than the picture."""
    return np.clip(np.random.default_rng(1).normal(0, 64, 3_000_000), -300, 300).astype(np.int16)


def pick_font(r, text):
    latin, cjk = fonts()
    return r.choice(cjk if any(ord(c) > 0x2E80 for c in text) else latin)


def near(r, colour, by=14):
    """A colour close to the given one; greys stay grey, for a tinted grey has another name."""
    if max(colour) - min(colour) < 12:
        shift = r.randint(-by, by)
        colour, by = [c + shift for c in colour], min(by, 3)
    return tuple(max(0, min(255, x + r.randint(-by, by))) for x in colour)


def light(colour):
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] > 140


class Canvas:
    """A picture being drawn. `tags` holds (x1, y1, x2, y2, label) in units."""

    def __init__(self, r, height, width, ground=None):
        self.r, self.height, self.width = r, height, width
        self.scale = r.choice((1, 1, 2, 2, 2, 3) if height * width < 60_000 else (1, 1, 1, 2))
        self.ground = ground or tuple(r.randint(232, 255) for _ in range(3))
        self.image = ground_of(r, width * self.scale, height * self.scale, self.ground, ground is not None)
        self.draw = ImageDraw.Draw(self.image)
        self.tags = []

    def px(self, *units):
        return [round(u * self.scale) for u in units]

    def tag(self, box, *labels):
        self.tags.extend((*box, label) for label in labels)

    def tag_place(self, box):
        """Tags what lies in the box with the box's own middle, in ninths of the picture, and edges, in twentieths. A tower
        that was never asked for them keeps a thing's place well enough while it is the only one, and mixes up the places
        of several."""
        x1, y1, x2, y2 = box
        lines = [("x", (x1 + x2) / 2, self.width, 9), ("y", (y1 + y2) / 2, self.height, 9)]
        lines += [(f"x{i}", x, self.width, 20) for i, x in ((1, x1), (2, x2))]
        lines += [(f"y{i}", y, self.height, 20) for i, y in ((1, y1), (2, y2))]
        self.tag(box, *(f"{name}:{max(0, min(parts - 1, int(parts * v / size)))}" for name, v, size, parts in lines))

    def line(self, points, colour, width=1.0):
        self.draw.line([tuple(self.px(x, y)) for x, y in points], fill=colour, width=max(1, round(width * self.scale)))

    def rect(self, box, fill=None, outline=None, width=1.0, radius=0.0):
        x1, y1, x2, y2 = self.px(*box)
        if x2 <= x1 or y2 <= y1:
            return
        kw = dict(fill=fill, outline=outline, width=max(1, round(width * self.scale)))
        if radius:
            self.draw.rounded_rectangle((x1, y1, x2, y2), radius * self.scale, **kw)
        else:
            self.draw.rectangle((x1, y1, x2, y2), **kw)

    def polygon(self, points, fill, outline=None):
        self.draw.polygon([(x * self.scale, y * self.scale) for x, y in points], fill=fill, outline=outline)

    def ellipse(self, box, **kw):
        if "width" in kw:
            kw["width"] = max(2, round(kw["width"] * self.scale))
        self.draw.ellipse(self.px(*box), **kw)

    def text_size(self, text, path, size):
        """Width and height of the ink, in units."""
        b = ink(path, font_pixels(size * self.scale), text)
        return (b[2] - b[0]) / self.scale, (b[3] - b[1]) / self.scale

    def text(self, x, y, text, path, size, colour, characters=True):
        """Text whose ink begins at x, y; returns the ink's box. Tags every character, unless it is mere decoration."""
        pixels, k = font_pixels(size * self.scale), self.scale
        b = ink(path, pixels, text)
        self.draw.text((x * k - b[0], y * k - b[1]), text, font=font(path, pixels), fill=colour)
        box = (x, y, x + (b[2] - b[0]) / k, y + (b[3] - b[1]) / k)
        if characters:
            left, pen = x, -b[0]
            for i, c in enumerate(text):
                pen += advance(path, pixels, c)
                right = x + pen / k
                if c != " ":
                    self.tag((left, y, right, box[3]), "char:" + c)
                    if i < PLACED and c in ORDERED:  # a patch holds several characters: their order is a label of its own
                        self.tag((left, y, right, box[3]), f"{i}:{c}")
                left = right
        return box

    def fit(self, text, size, room, path=None, least=9.0):
        """(font, size) at which text is at most `room` wide, or None."""
        path = path or pick_font(self.r, text)
        while size >= least:
            if self.text_size(text, path, size)[0] <= room:
                return path, size
            size *= 0.85
        return None

    def pixels(self, damage=True):
        """uint8 [height, width, 3]: scaled down, and worn as pictures from elsewhere are."""
        r, image = self.r, self.image
        if damage and r.random() < 0.12:
            image = image.filter(ImageFilter.BoxBlur(r.uniform(0.2, 0.6) * self.scale))
        if self.scale != 1:
            image = image.resize(
                (self.width, self.height), r.choice((Image.BICUBIC, Image.BICUBIC, Image.LANCZOS, Image.BOX))
            )
        if damage and r.random() < 0.25:  # JPEG's blocks and colour bleeding
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=r.randint(35, 92), subsampling=r.choice((0, 2)))
            image = Image.open(buffer).convert("RGB")
        if damage and r.random() < 0.15:  # light and contrast of a photograph of a screen
            gain, shift = r.uniform(0.8, 1.1), r.uniform(-12, 12) + 128
            image = image.point([max(0, min(255, round((v - 128) * gain + shift))) for v in range(256)] * 3)
        pixels = np.asarray(image, dtype=np.uint8)
        if damage and r.random() < 0.15:
            first = r.randrange(noise().size - pixels.size)
            grain = (noise()[first : first + pixels.size].reshape(pixels.shape) * np.int16(r.randint(1, 8))) >> 6
            pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
        return pixels


class Scene:
    """A finished picture, what is on it (`tags`, `facts`) and, of a video, its frames and the seconds of each pair of
    them."""

    def __init__(self, kind, canvas, facts):
        self.kind, self.canvas, self.facts = kind, canvas, facts
        self.height, self.width, self.tags = canvas.height, canvas.width, canvas.tags
        self.frames, self.times, self.frame_tags = None, None, None
        self.pair = None  # a second picture of the same size, shown with this one

    def parts(self):
        """The scenes of one picture each that are shown together."""
        return [self] if self.pair is None else [self, self.pair]

    @property
    def pixels(self):
        return self.canvas.pixels()

    def box1000(self, box):
        """A box in 0-1000 of the picture, in steps of 10: finer digits would be guessed at this size of picture."""
        size = (self.width, self.height, self.width, self.height)
        return [max(0, min(1000, round(v / s * 100) * 10)) for v, s in zip(box, size)]


def some_ground(r, plain=0.6):
    """A ground for any picture: None (light, as Canvas chooses) mostly, else white, dark or coloured."""
    k = r.random()
    if k < plain:
        return None
    if k < plain + 0.12:
        return 255, 255, 255
    if r.random() < 0.55:
        shade = r.randint(8, 60)
        return tuple(max(0, shade + r.randint(-8, 22)) for _ in range(3))
    return tuple(r.randint(90, 250) for _ in range(3))


def apart(a, b):
    """How far two colours are from each other; below 120 an eye may take a thing for its ground."""
    return sum(abs(x - y) for x, y in zip(a, b))


def ground_of(r, width, height, base, given):
    """A ground round the colour `base`: plain (mostly, where it was given), a gradient, soft clouds, or ruled paper."""
    kind = r.random()
    if kind < 0.55 or given and kind < 0.85:
        return Image.new("RGB", (width, height), base)
    other = near(r, base, 22)
    if kind < 0.88:  # a gradient along any direction, or clouds, like an out-of-focus wall: a few pixels, enlarged
        if kind < 0.72:
            a = r.uniform(0, 2 * math.pi)
            corners = [x * math.cos(a) + y * math.sin(a) for y in (-1, 1) for x in (-1, 1)]
            shares, across = [(c / 1.42 + 1) / 2 for c in corners], 2
        else:
            across = r.randint(3, 8)
            shares = [r.random() for _ in range(across * r.randint(3, 8))]
        few = Image.new("RGB", (across, len(shares) // across))
        few.putdata([tuple(round(x + (y - x) * t) for x, y in zip(base, other)) for t in shares])
        return few.resize((width, height), Image.BILINEAR if across == 2 else Image.BICUBIC)
    image = Image.new("RGB", (width, height), base)  # ruled or squared paper
    draw, step = ImageDraw.Draw(image), max(4, width // r.randint(6, 20))
    for y in range(0, height, step):
        draw.line((0, y, width, y), fill=other)
    if r.random() < 0.5:
        for x in range(0, width, step):
            draw.line((x, 0, x, height), fill=other)
    return image
