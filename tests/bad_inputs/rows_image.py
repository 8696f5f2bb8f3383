"""Rows of pictures: whole, damaged and hostile files in a request, as data URI or base64."""

import base64
import random
import socket
import struct
import threading
import zlib

import pictures as p
from program import ROOT, Failure

MEDIA = ROOT / "tests/data/media"


def ask(server, data, kind="image/png", **part):
    source = data if isinstance(data, str) else f"data:{kind};base64," + base64.b64encode(data).decode()
    picture = {"type": "image_url", "image_url": {"url": source}, **part}
    body = {"messages": [{"role": "user", "content": [picture, {"type": "text", "text": "?"}]}], "max_tokens": 1}
    return server.post(body, timeout=60)


def send(data, **part):
    """data: bytes, or a function that makes them when the row's turn has come."""
    return lambda server: ask(server, data() if callable(data) else data, **part)


def media(name):
    return lambda: (MEDIA / name).read_bytes()


def flat(recipe, megabytes):
    """The server's memory does not grow by more than that; what is freed may stay with the allocator."""
    def run(server):
        before = server.rss_mb()
        reply = recipe(server)
        if server.rss_mb() - before > megabytes * server.slack:
            raise Failure(f"grew by {server.rss_mb() - before:.1f} MB")
        return reply
    return run


def cuts(whole, step=64, first=64, last=None):
    def run(server):
        data = whole() if callable(whole) else whole
        return [(f"{n} of {len(data)}", ask(server, data[:n])) for n in range(first, len(data) if last is None else last, step)]
    return run


def flips(whole, count, seed=3):
    """Random damage: 200 or a 4xx of the pictures, never a failure of the server. Gives nothing to compare."""
    def run(server):
        data, chance = whole() if callable(whole) else whole, random.Random(seed)
        for n in range(count):
            bad = bytearray(data)
            for _ in range(chance.randint(1, 4)):
                bad[chance.randrange(len(bad))] = chance.randrange(256)
            reply = ask(server, bytes(bad))
            if reply.status not in (200, 400, 415) or (reply.status != 200 and not reply.code().startswith("image_")):
                raise Failure(f"damage {n}: {reply.status} {reply.code()}")
        return ask(server, b"nothing that any decoder knows" * 9)
    return run


def each(*cases):
    """(label, data or part's options) pairs of one row."""
    return lambda server: [(label, ask(server, data)) for label, data in cases]


def each_option(**options):
    name, values = next(iter(options.items()))
    return lambda server: [(f"{name} {v}", ask(server, p.png(), **{name: v})) for v in values]


def same_picture_often(count):
    def run(server):
        url = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(p.png()).decode()}}
        return server.post({"messages": [{"role": "user", "content": [url] * count}], "max_tokens": 1}, timeout=60)
    return run


def canary(urls, text=None):
    """Sends addresses of a listener of ours and counts who comes: nobody may."""
    def run(server):
        hits, listener = [], socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.5)

        def wait():
            try:
                while True:
                    hits.append(listener.accept()[0])
            except OSError:
                pass

        thread = threading.Thread(target=wait)
        thread.start()
        port, out = listener.getsockname()[1], []
        try:
            for url in urls:
                url = url.replace("PORT", str(port))
                if text:
                    reply = server.post({"messages": [{"role": "user", "content": text.replace("URL", url)}], "max_tokens": 1})
                else:
                    reply = ask(server, url)
                out.append((url, reply))
        finally:
            thread.join()
            listener.close()
        if hits:
            raise Failure(f"{len(hits)} connections came to a URL of the request")
        return out
    return run


ZERO_ROW = b"\0" + bytes(96)
BIG_TEXT = zlib.compress(bytes(1 << 20), 9)


def text_bombs():
    bomb = p.zeros_compressed(1 << 28)
    chunks = p.chunk(b"zTXt", b"a\0\0" + bomb) + p.chunk(b"iTXt", b"a\0\1\0\0\0" + bomb) + p.chunk(b"iCCP", b"a\0\0" + bomb)
    return p.png(before=chunks)


def tiny_chunks():
    return p.png(before=p.chunk(b"tEXt", b"a\0b") * 100000)


def apng():
    control = p.chunk(b"acTL", struct.pack(">II", 10000, 0))
    frame = p.chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 32, 32, 0, 0, 1, 10, 0, 0))
    return p.png(before=control + frame, after=(frame + p.chunk(b"fdAT", b"\0\0\0\1" + zlib.compress(ZERO_ROW * 32))) * 10000)


def bad_crc():
    data = bytearray(p.png())
    data[40] ^= 1
    return bytes(data)


def bits_png(width, height):
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(1)
    idat = b"".join(packer.compress(row * 100) for _ in range(height // 100)) + packer.compress(row * (height % 100)) + packer.flush()
    return p.SIGNATURE + p.ihdr(width, height, 1, 0) + p.chunk(b"IDAT", idat) + p.chunk(b"IEND", b"")


def progressive_scans():
    return p.progressive_bomb(10000, 256, 256)


def restart_chaos():
    data = bytearray(p.jpeg(256, 256, extra=p.segment(0xDD, struct.pack(">H", 4)), data=b"\x0f\xff\xd3\x0f\xff\xd7" * 200))
    return bytes(data)


def polyglot():
    return p.jpeg(end=b"") + b"\xff\xd9" + b"%PDF-1.7\n1 0 obj<</JS(app.alert(1))>>endobj\n%%EOF"


def loop_exif():
    return p.jpeg(extra=p.exif_segment([(0x0112, 3, 1, 1), (0x8769, 4, 1, 8)], next_directory=8))


def huge_exif():
    return p.jpeg(extra=p.exif_segment([(0x0112, 3, 0xFFFFFFFF, 1), (0x010F, 2, 0xFFFFFFFF, 0xFFFFFFF0)], next_directory=0xFFFFFFFF))


def rle_bomb():
    return p.bmp(30000, 30000, 8, 1, 2, b"\0" * 8, b"\xff\0" * 16 + b"\0\1")


def gif_bad_code():
    return p.gif(data=p.pack_codes([4, 0, 7, 7, 7, 7, 5]))


def long_sub_blocks():
    return p.gif(8, 8, data=p.lzw_without_compression(64) + b"\x55" * 200000)


def webp_big_frame():
    frame = b"ANMF" + struct.pack("<I", 24) + b"\0" * 6 + b"\xfe\x3f\0" + b"\xfe\x3f\0" + b"\0" * 12
    return p.webp_extended(8, 8, b"ANIM" + struct.pack("<I", 6) + b"\0" * 6 + frame, 2)


def heif(meta=b""):
    return p.ftyp(b"heic", b"mif1") + meta


def heif_claims(width, height):
    ispe = p.box(b"ispe", struct.pack(">III", 0, width, height))
    iprp = p.box(b"iprp", p.box(b"ipco", ispe))
    return heif(p.box(b"meta", b"\0\0\0\0" + p.box(b"hdlr", b"\0" * 8 + b"pict" + b"\0" * 13) + p.box(b"pitm", b"\0" * 6) + iprp))


def nested_boxes(depth):
    data = b""
    for _ in range(depth):
        data = p.box(b"meta", b"\0\0\0\0" + data)
    return heif(data)


PRIVATE = ["http://10.0.0.1/a.png", "http://172.16.0.1/", "http://192.168.0.1/", "http://100.64.0.1/", "http://[fc00::1]/",
           "http://[fe80::1%25eth0]/"]
UNREAD = [("PSD", b"8BPS\0\1" + bytes(60)), ("PNM", b"P6\n2 2\n255\n" + bytes(12)), ("HDR", b"#?RADIANCE\n" + bytes(60)),
          ("PIC", b"\x53\x80\xf6\x34" + bytes(100)), ("TGA", bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 24, 0]) + bytes(12)),
          ("SVG", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>"), ("ICO", b"\0\0\1\0\1\0" + bytes(60)),
          ("PDF", b"%PDF-1.7\n%%EOF"), ("PS", b"%!PS-Adobe"), ("ZIP", b"PK\3\4" + bytes(40)), ("EXR", b"\x76\x2f\x31\x01" + bytes(30)),
          ("QOI", b"qoif" + bytes(30)), ("MP4", p.ftyp(b"isom", b"mp42") + bytes(40)), ("WebM", b"\x1a\x45\xdf\xa3" + bytes(40)),
          ("AVI", b"RIFF\0\0\0\0AVI " + bytes(40)), ("DDS", b"DDS " + bytes(128))]
JPEG2000 = [("JP2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40)), ("J2K", b"\xff\x4f\xff\x51" + bytes(40)),
            ("JXL box", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40)), ("JXL", b"\xff\x0a" + bytes(40)), ("JXR", b"II\xbc\1" + bytes(40))]

RECIPES = {
    "IMA-001": send("data:;base64,"),
    "IMA-002": send("data:image/png;base64,"),
    "IMA-002b": send(""),
    "IMA-003": send("data:image/png," + "abcd" * 10),
    "IMA-004": send("data:image/png;base64,iVBORw0KGgo=AAAA"),
    "IMA-004b": send("data:image/png;base64,iVBORw0KGgoA=="[:-1] + "==="),
    "IMA-004c": send("data:image/png;base64,@@@@"),
    "IMA-004d": send("data:image/png;base64"),
    "IMA-004e": send("data:image/png;base64,A"),
    "IMA-005": lambda s: ask(s, "data:image/png;base64," + "\n".join(base64.b64encode(p.png()).decode()[i:i + 60] for i in range(0, 9999, 60))),
    "IMA-005b": lambda s: ask(s, base64.b64encode(p.png()).decode()),
    "IMA-005c": lambda s: ask(s, "data:image/png;base64," + base64.urlsafe_b64encode(p.png()).decode().rstrip("=")),
    "IMA-005d": lambda s: ask(s, "DATA:IMAGE/PNG;BASE64," + base64.b64encode(p.png()).decode()),
    "IMA-006": send(b"\x89"),
    "IMA-007": send(bytes(4096)),
    "IMA-007b": lambda s: ask(s, random.Random(1).randbytes(4096)),
    "IMA-008": send(b"<!doctype html><html><body><svg></svg></body></html>"),
    "IMA-009": send(lambda: p.jpeg()),
    "IMA-009b": lambda s: ask(s, p.png(), kind="text/html"),
    "IMA-010": send(lambda: bytes((20 << 20) + 1)),
    "IMA-011": send(lambda: b"\x89PNG\r\n\x1a\n"),
    "IMA-012": each(*UNREAD),
    "IMA-013": each(*JPEG2000),
    "IMA-013b": send(media("plain.heic")),
    "IMA-013c": send(media("plain.avif")),
    "IMA-015": send(polyglot),
    "IMA-016": cuts(lambda: p.png(), 64),
    "IMA-016b": cuts(media("palette.png"), 64, 128),
    "IMA-017": send(bad_crc),
    "IMA-018": each(("0x0", p.png(0, 0, rows=b"")), ("0x5", p.png(0, 5, rows=b"\0" * 5)), ("5x0", p.png(5, 0, rows=b""))),
    "IMA-019": flat(send(lambda: p.SIGNATURE + p.ihdr(2**31 - 1, 2**31 - 1) + p.chunk(b"IDAT", zlib.compress(b"")) + p.chunk(b"IEND", b"")), 2),
    "IMA-019b": send(lambda: p.SIGNATURE + p.ihdr(2**32 - 1, 2**32 - 1) + p.chunk(b"IDAT", b"")),
    "IMA-020": flat(send(lambda: p.SIGNATURE + p.ihdr(100000, 100000) + p.chunk(b"IDAT", b"")), 2),
    "IMA-021": flat(send(lambda: bits_png(20000, 20000)), 4),
    "IMA-022": send(lambda: bits_png(8000, 8000)),
    "IMA-023": flat(send(lambda: bits_png(8000, 8001)), 4),
    "IMA-024": each(*((f"depth {d} colour {c}", p.SIGNATURE + p.ihdr(8, 8, d, c) + p.chunk(b"IDAT", zlib.compress(bytes(400))) + p.chunk(b"IEND", b""))
                      for d, c in ((3, 2), (8, 5), (16, 3), (4, 2), (0, 0), (32, 2)))),
    "IMA-024b": lambda s: ask(s, p.SIGNATURE + p.ihdr(8, 8, interlace=7) + p.chunk(b"IDAT", zlib.compress(bytes(400))) + p.chunk(b"IEND", b"")),
    "IMA-025": send(lambda: p.png(8, 8, 8, 3, rows=(b"\0" + bytes(8)) * 8)),
    "IMA-026": send(lambda: p.png(8, 8, 8, 3, rows=(b"\0" + b"\xff" * 8) * 8, before=p.chunk(b"PLTE", b"\0\0\0"))),
    "IMA-027": send(lambda: p.png(32, 32, rows=ZERO_ROW * 5)),
    "IMA-027b": send(lambda: p.SIGNATURE + p.ihdr(8, 8) + p.chunk(b"IEND", b"")),
    "IMA-027c": send(lambda: p.png(32, 32, rows=(b"\x09" + bytes(96)) * 32)),
    "IMA-028": send(lambda: p.png(32, 32, rows=ZERO_ROW * 500)),
    "IMA-029": flat(send(text_bombs), 12),
    "IMA-030": send(tiny_chunks),
    "IMA-031": send(lambda: p.SIGNATURE + struct.pack(">I", 0xFFFFFFF0) + b"IHDR" + bytes(40)),
    "IMA-031b": send(lambda: p.SIGNATURE + p.chunk(b"IDAT", b"") + p.ihdr(8, 8)),
    "IMA-032": send(apng),
    "IMA-033": send(lambda: p.png(16, 16, 8, 6, rows=(b"\0" + bytes(64)) * 16)),
    "IMA-034": flat(send(lambda: p.jpeg(65535, 65535, data=b"\0")), 2),
    "IMA-035": send(lambda: p.jpeg(32, 0, data=b"\0" * 8)),
    "IMA-036": send(progressive_scans),
    "IMA-037": send(lambda: p.jpeg(marker=0xC9)),
    "IMA-037b": send(lambda: p.jpeg(marker=0xC3)),
    "IMA-038": send(lambda: p.jpeg(marker=0xC1, precision=12)),
    "IMA-039": send(lambda: p.jpeg(components=4)),
    "IMA-039b": send(media("cmyk.jpg")),
    "IMA-040": send(lambda: p.jpeg(512, 512)[:-400]),
    "IMA-040b": cuts(media("exif3.jpg"), 64, 64),
    "IMA-041": each(("too many codes", p.jpeg(tables=p.DQT + p.segment(0xC4, b"\0" + b"\xff" * 16 + bytes(255)) + p.DHT_AC)),
                    ("more codes than bits", p.jpeg(tables=p.DQT + p.segment(0xC4, b"\0" + bytes([9] + [0] * 15) + bytes(9)) + p.DHT_AC)),
                    ("cut", p.jpeg(tables=p.DQT + p.segment(0xC4, b"\0\1") + p.DHT_AC))),
    "IMA-041b": send(lambda: p.jpeg(tables=p.DHT_DC + p.DHT_AC)),
    "IMA-041c": send(lambda: p.jpeg(tables=p.DQT)),
    "IMA-042": send(restart_chaos),
    "IMA-043": each(("no segments", b"\xff\xd8\xff\xd9"), ("length 0", b"\xff\xd8\xff\xe0\0\0" + bytes(40)),
                    ("long segment", b"\xff\xd8\xff\xe0\xff\xff" + bytes(40)), ("five components", p.jpeg(components=5)),
                    ("sampling 0", p.jpeg().replace(b"\x01\x11\x00", b"\x01\x00\x00", 1))),
    "IMA-044": each(*((f"orientation {v}", p.jpeg(extra=p.orientation(v))) for v in (0, 9, 65535))),
    "IMA-045": send(loop_exif),
    "IMA-046": send(huge_exif),
    "IMA-046b": each(*((f"cut at {n}", p.jpeg(extra=p.segment(0xE1, (b"Exif\0\0II*\0" + bytes(40))[:n]))) for n in range(0, 40, 3))),
    "IMA-047": send(lambda: p.webp()),
    "IMA-048": cuts(media("lossy.webp"), 64, 64),
    "IMA-048b": send(lambda: p.webp(64, 64, cut=8)),
    "IMA-049": flat(send(lambda: p.webp(16383, 16383)), 4),
    "IMA-049b": flat(send(lambda: p.webp_extended(1 << 24, 1 << 24)), 4),
    "IMA-050": send(webp_big_frame),
    "IMA-051": send(lambda: b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WEBPVP8 " + struct.pack("<I", 0xFFFFFFFF)),
    "IMA-052": send(lambda: p.gif(head_only=True)),
    "IMA-053": flat(send(lambda: p.gif(65535, 65535, data=p.pack_codes([4, 0, 5]))), 4),
    "IMA-054": cuts(media("anim.gif"), 64, 64, 640),
    "IMA-055": send(gif_bad_code),
    "IMA-056": send(lambda: p.gif(2, 2, frames=100000)),
    "IMA-057": send(long_sub_blocks),
    "IMA-057b": each(("code size 0", p.gif().replace(b"\x08\0\0\2", b"\x08\0\0\0", 1)), ("code size 12", p.gif().replace(b"\x08\0\0\2", b"\x08\0\0\x0c", 1))),
    "IMA-058": flat(send(rle_bomb), 4),
    "IMA-059c": each(("bits 7", p.bmp(bits=7)), ("compression 9", p.bmp(compression=9))),
    "IMA-059": each(("width 0", p.bmp(0, 8)), ("width -8", p.bmp(-8, 8, pixels=bytes(192))),
                    ("no pixels", p.bmp(pixels=b"")),
                    ("offset past the end", p.bmp(offset=1 << 30)),
                    ("2^32-1 colours", p.bmp(bits=8, colors=0xFFFFFFFF))),
    "IMA-059d": send(lambda: p.bmp(8, -2**31, pixels=b"")),
    "IMA-059b": cuts(lambda: p.bmp(16, 16), 64, 64),
    "IMA-060": send(lambda: p.png(2, 2)),
    "IMA-061": send(lambda: p.png(30, 305)),
    "IMA-062": send(lambda: p.png(27, 257)),
    "IMA-063": each(("1x200", p.png(1, 200)), ("200x1", p.png(200, 1))),
    "IMA-064": each(("1x201", p.png(1, 201)), ("201x1", p.png(201, 1))),
    "IMA-065": each(*((f"{w}x{h}", p.png(w, h)) for w, h in ((1, 1), (1, 2), (3, 1), (31, 33), (33, 31), (15, 17), (47, 49), (5, 999)))),
    "IMA-066": send(lambda: p.png(10000, 50, rows=(b"\0" + bytes(30000)) * 50), max_pixels=128 * 1024),
    "IMA-066b": send(lambda: p.png(10000, 50, rows=(b"\0" + bytes(30000)) * 50), max_pixels=1024),
    "IMA-067": each_option(max_pixels=[0, -1, 2**63, 2**63 - 1, 1e300]),
    "IMA-067b": each_option(max_pixels=["x", 1.5, True, []]),
    "IMA-068": send(lambda: p.png(), min_pixels=50000, max_pixels=40000),
    "IMA-069": same_picture_often(33),
    "IMA-070": each(("file", "file:///etc/passwd"), ("FILE", "FILE:///etc/passwd")),
    "IMA-070c": send("/etc/passwd"),
    "IMA-070b": each(("up", "../../etc/passwd"), ("name", "a.png"), ("UNC", "\\\\host\\share\\a.png")),
    "IMA-071": each(*((u, u) for u in ("ftp://a/b", "gopher://a/b", "javascript:alert(1)", "blob:http://a/b", "chrome://version",
                                       "s3://a/b", "ws://a/b", "about:blank"))),
    "IMA-072": canary(["http://127.0.0.1:PORT/a.png", "http://localhost:PORT/a.png", "HTTP://127.0.0.1:PORT/"]),
    "IMA-073": canary(["http://[::1]:PORT/", "http://0.0.0.0:PORT/", "http://[::ffff:127.0.0.1]:PORT/"]),
    "IMA-074": canary(["http://2130706433:PORT/", "http://0x7f.1:PORT/", "http://0177.0.0.1:PORT/"]),
    "IMA-075": each(("v4", "http://169.254.169.254/latest/meta-data/"), ("v6", "http://[fd00:ec2::254]/")),
    "IMA-076": each(*((u, u) for u in PRIVATE)),
    "IMA-077": canary(["http://good.example\\@127.0.0.1:PORT/", "http://good.example@127.0.0.1:PORT/"]),
    "IMA-078": canary([" http://127.0.0.1:PORT/", "\thttp://127.0.0.1:PORT/", "//127.0.0.1:PORT/"]),
    "IMA-078b": canary(["http:127.0.0.1:PORT/", "https:\\\\127.0.0.1:PORT/"]),
    "IMA-079": canary(["http://127.0.0.1:PORT/redirect"]),
    "IMA-086": canary(["http://127.0.0.1:PORT/"], "![](URL) <img src=URL> [a](URL) URL"),
    "IMA-087": send("https://example.com/a.png"),
    "IMA-088": cuts(lambda: p.tiff(16, 16), 64, 64),
    "IMA-089": send(lambda: p.tiff(next_directory=8)),
    "IMA-089b": flat(send(lambda: p.tiff(0xFFFFFFFF, 0xFFFFFFFF, pixels=b"\0" * 100)), 4),
    "IMA-089c": each(("offset past the end", p.tiff(more=[(273, (4, 1, 0x7FFFFFFF))])), 
                     ("no directory", b"II*\0" + struct.pack("<I", 8)), ("directory past the end", b"II*\0" + struct.pack("<I", 0xFFFFFFF0)),
                     ("0 wide", p.tiff(0, 8, pixels=bytes(10)))),
    "IMA-089e": each(("bits 2^16-1", p.tiff(more=[(258, (3, 1, 65535))])), ("samples 65535", p.tiff(more=[(277, (3, 1, 65535))]))),
    "IMA-089d": send(lambda: p.tiff(strip_bytes=0x7FFFFFFF)),
    "IMA-090": send(lambda: heif()),
    "IMA-090b": flat(send(lambda: heif_claims(100000, 100000)), 4),
    "IMA-090c": send(lambda: nested_boxes(5000)),
    "IMA-090d": cuts(media("plain.heic"), 64, 64),
    "IMA-090e": cuts(media("plain.avif"), 64, 64),
    "IMA-091": flips(media("palette.png"), 60),
    "IMA-091b": flips(media("exif3.jpg"), 60),
    "IMA-091c": flips(media("lossy.webp"), 60),
    "IMA-091d": flips(media("anim.gif"), 60),
    "IMA-091e": flips(lambda: p.bmp(16, 16), 60),
    "IMA-091f": flips(lambda: p.tiff(16, 16), 60),
    "IMA-091g": flips(media("plain.heic"), 40),
    "IMA-091h": flips(media("plain.avif"), 40),
    "IMA-092": lambda s: s.post({"data": ["?", base64.b64encode(b"GIF89a" + bytes(30)).decode()]}, "/api/predict"),
    "IMA-092b": lambda s: s.post({"data": ["?", "https://example.com/a.png"]}, "/api/predict"),
    "IMA-092c": lambda s: s.post({"data": ["?", base64.b64encode(p.png(1, 201)).decode()]}, "/api/predict"),
    "MES-068": same_picture_often(32),
}
