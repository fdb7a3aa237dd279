#!/usr/bin/env python3
"""Draws icon.png, 128 x 128: the experts, coloured dots, and the one smile that is made of them. Needs Python alone: python3 eng/package/icon.py"""
import math
import struct
import zlib
from pathlib import Path

SIZE, SAMPLES = 128, 4
INK, PAPER = (0x2B, 0x2D, 0x5B), (0xFF, 0xFF, 0xFF)
EXPERTS = [(0xF2, 0x5F, 0x5C), (0xFF, 0xB0, 0x3A), (0x4E, 0xC9, 0x8F), (0x35, 0xA7, 0xFF), (0xB3, 0x7F, 0xEB)]


def rounded_square(x, y, half, radius):
    dx, dy = abs(x) - half + radius, abs(y) - half + radius
    return math.hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - radius


def colour(x, y):
    """The colour at a point of the square from -1 to 1, y downwards; None outside of the icon."""
    if rounded_square(x, y, 0.98, 0.34) > 0:
        return None
    # The experts: dots on an arc above.
    for i, expert in enumerate(EXPERTS):
        angle = math.radians(-90 + (i - 2) * 27)
        if math.hypot(x - 0.66 * math.cos(angle), y - 0.08 - 0.66 * math.sin(angle)) < 0.125:
            return expert
    # The smile: an arc with round ends, whose colours are theirs.
    angle = math.degrees(math.atan2(y + 0.02, x))
    if 22 <= angle <= 158 and abs(math.hypot(x, y + 0.02) - 0.62) < 0.1:
        return blend((158 - angle) / 136)
    for end, share in ((22, 1.0), (158, 0.0)):
        if math.hypot(x - 0.62 * math.cos(math.radians(end)), y + 0.02 - 0.62 * math.sin(math.radians(end))) < 0.1:
            return blend(share)
    return INK


def blend(share):
    """A colour on the way from the first expert's to the last one's."""
    place = share * (len(EXPERTS) - 1)
    left = min(int(place), len(EXPERTS) - 2)
    return tuple(a + (b - a) * (place - left) for a, b in zip(EXPERTS[left], EXPERTS[left + 1]))


def pixel(column, row):
    seen = [
        colour(*(2 * (p + (s + 0.5) / SAMPLES) / SIZE - 1 for p, s in ((column, i), (row, j))))
        for i in range(SAMPLES)
        for j in range(SAMPLES)
    ]
    inside = [c for c in seen if c]
    mean = [sum(channel) / len(inside) for channel in zip(*inside)] if inside else PAPER
    return bytes(round(channel) for channel in mean) + bytes([round(255 * len(inside) / len(seen))])


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"".join(b"\0" + b"".join(pixel(column, row) for column in range(SIZE)) for row in range(SIZE))
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
Path(__file__).with_name("icon.png").write_bytes(png)
