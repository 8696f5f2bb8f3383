"""Pictures made by code: whole ones, damaged ones and bombs. Everything is built from the formats' own descriptions."""

import struct
import zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


SIGNATURE = b"\x89PNG\r\n\x1a\n"


def ihdr(width, height, depth=8, color=2, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


def row_bytes(width, depth, color):
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    return (width * samples * depth + 7) // 8


def png(width=32, height=32, depth=8, color=2, rows=None, before=b"", after=b"", level=6, interlace=0):
    if rows is None:
        if width * height <= 1 << 16 and depth == 8:  # some texture, so that its data are of some length
            count = row_bytes(width, depth, color)
            rows = b"".join(b"\0" + bytes((x * 7 + y * 13 + x * y) & 255 for x in range(count)) for y in range(height))
        else:
            rows = (b"\0" + b"\0" * row_bytes(width, depth, color)) * height
    return SIGNATURE + ihdr(width, height, depth, color, interlace) + before + chunk(b"IDAT", zlib.compress(rows, level)) + \
        after + chunk(b"IEND", b"")


def zeros_compressed(count):
    """A zlib stream of many zero bytes, made in pieces."""
    packer, out = zlib.compressobj(9), b""
    piece = bytes(1 << 20)
    while count > 0:
        out += packer.compress(piece[:min(count, len(piece))])
        count -= len(piece)
    return out + packer.flush()


# ---- JPEG: pictures of one grey, whose every coefficient is zero
def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


DQT = segment(0xDB, b"\0" + b"\1" * 64)
DHT_DC = segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\0")  # one code, "0": no difference
DHT_AC = segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")  # one code, "0": end of block


def sof(marker, width, height, components=1, precision=8):
    parts = b"".join(bytes([i + 1, 0x11, 0]) for i in range(components))
    return segment(marker, struct.pack(">BHHB", precision, height, width, components) + parts)


def sos(components=1, first=0, last=63, approximation=0):
    return segment(0xDA, bytes([components]) + b"".join(bytes([i + 1, 0]) for i in range(components)) +
                   bytes([first, last, approximation]))


def scan_bits(count):
    """count zero bits, filled up with ones."""
    whole, rest = divmod(count, 8)
    return b"\0" * whole + (bytes([(1 << (8 - rest)) - 1]) if rest else b"")


def jpeg(width=32, height=32, components=1, marker=0xC0, precision=8, extra=b"", tables=DQT + DHT_DC + DHT_AC, data=None,
         end=b"\xff\xd9"):
    blocks = ((width + 7) // 8) * ((height + 7) // 8) * components
    if data is None:
        data = scan_bits(2 * blocks)
    return b"\xff\xd8" + extra + tables + sof(marker, width, height, components, precision) + sos(components) + data + end


def progressive_bomb(scans, width=1024, height=1024):
    """Many scans over all blocks: each makes the decoder walk the whole picture."""
    blocks = (width // 8) * (height // 8)
    first = sos(1, 0, 0, 0x01) + scan_bits(blocks)
    refine = sos(1, 0, 0, 0x10) + scan_bits(blocks)
    del refine  # a refinement may come once only; AC scans of end-of-band runs are the cheap ones
    band = sos(1, 1, 63, 0) + scan_bits(blocks)
    return b"\xff\xd8" + DQT + DHT_DC + DHT_AC + sof(0xC2, width, height) + first + band * scans + b"\xff\xd9"


def exif_segment(entries, next_directory=0, little=True):
    """APP1 with one directory; entries: (tag, type, count, value)."""
    order = "<" if little else ">"
    tiff = (b"II*\0" if little else b"MM\0*") + struct.pack(order + "I", 8) + struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        packed = struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
        tiff += struct.pack(order + "HHI", tag, kind, count) + packed
    return segment(0xE1, b"Exif\0\0" + tiff + struct.pack(order + "I", next_directory))


def orientation(value):
    return exif_segment([(0x0112, 3, 1, value)])


# ---- GIF
def gif(width=8, height=8, frames=1, data=None, trailer=b";", head_only=False):
    out = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    if head_only:
        return out + trailer
    if data is None:
        data = lzw_without_compression(width * height)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2" + sub_blocks(data) + b"\0"
    return out + frame * frames + trailer


def sub_blocks(data):
    return b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255))


def pack_codes(codes, bits=3):
    value = 0
    for i, code in enumerate(codes):
        value |= code << (bits * i)
    return value.to_bytes((len(codes) * bits + 7) // 8, "little")


def lzw_without_compression(pixels):
    """Clear codes (4) come often enough that no code grows past three bits; 5 ends."""
    codes = []
    for i in range(pixels):
        if i % 2 == 0:
            codes.append(4)
        codes.append(i & 1)
    return pack_codes(codes + [5])


# ---- BMP
def bmp(width=8, height=8, bits=24, compression=0, colors=0, tables=b"", pixels=None, offset=None):
    if pixels is None:
        pixels = bytes(((width * bits + 31) // 32 * 4) * abs(height))
    start = 54 + len(tables) if offset is None else offset
    return b"BM" + struct.pack("<IHHI", 54 + len(tables) + len(pixels), 0, 0, start) + \
        struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 0, 0, colors, 0) + tables + pixels


# ---- TIFF: one strip of 8-bit samples
def tiff(width=8, height=8, pixels=None, more=(), next_directory=0, strip_bytes=None, compression=1, samples=3):
    if pixels is None:
        pixels = bytes(width * height * samples) if width * height < 1 << 24 else b""
    entries = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, compression),
               262: (3, 1, 2 if samples == 3 else 1), 273: (4, 1, 0), 277: (3, 1, samples), 278: (4, 1, height),
               279: (4, 1, len(pixels) if strip_bytes is None else strip_bytes)}
    entries.update(dict(more))
    start = 8 + 2 + 12 * len(entries) + 4
    if entries[273] == (4, 1, 0):
        entries[273] = (4, 1, start)
    out = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag in sorted(entries):
        kind, count, value = entries[tag]
        out += struct.pack("<HHI", tag, kind, count) + (struct.pack("<HH", value, 0) if kind == 3 else struct.pack("<I", value))
    return out + struct.pack("<I", next_directory) + pixels


# ---- WebP, lossless, one colour: every code has one symbol, so the pixels take no bits at all
class Bits:
    def __init__(self):
        self.value, self.count = 0, 0

    def put(self, value, bits):
        self.value |= value << self.count
        self.count += bits

    def bytes(self):
        return self.value.to_bytes((self.count + 7) // 8, "little")


def webp(width=8, height=8, body=True, cut=None):
    bits = Bits()
    bits.put(0x2F, 8)
    bits.put(width - 1, 14)
    bits.put(height - 1, 14)
    bits.put(0, 1 + 3)  # no alpha, version 0
    if body:
        bits.put(0, 3)  # no transform, no colour cache, no codes by place
        for symbol in (200, 100, 50, 255, 0):  # green, red, blue, alpha, distance
            bits.put(1, 1)
            bits.put(0, 1)
            bits.put(1, 1)
            bits.put(symbol, 8)
    return riff(b"VP8L", bits.bytes() if cut is None else bits.bytes()[:cut])


def riff(kind, data):
    padded = data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + 8 + len(padded)) + b"WEBP" + kind + struct.pack("<I", len(data)) + padded


def webp_extended(width, height, chunks=b"", flags=0):
    head = struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"VP8X" + struct.pack("<I", 10) + head + chunks
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def box(kind, data, size=None):
    return struct.pack(">I", 8 + len(data) if size is None else size) + kind + data


def ftyp(*brands):
    return box(b"ftyp", brands[0] + b"\0\0\0\0" + b"".join(brands))
