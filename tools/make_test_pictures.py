#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes small pictures of every kind that Fovea reads, and a table of the pixels Pillow reads from them.

FOLDER/expected.json maps each file to its size and the CRC-32 of its pixels: upright, 8-bit RGB, row
by row, or to null where Pillow refuses it. --all makes every kind in many sizes, to be compared by
hand. Needs Pillow with WebP, and cjpeg of libjpeg-turbo.
"""
import argparse
import io
import json
import pathlib
import random
import struct
import subprocess
import zlib

from PIL import Image, ImageOps, features

PNG_TYPES = {0: (1, "grey"), 2: (3, "rgb"), 3: (1, "palette"), 4: (2, "grey_alpha"), 6: (4, "rgba")}
PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def picture(width, height, mode="RGB"):
    """Ramps with some noise: every value occurs, and neighbours are alike."""
    noise = random.Random(f"{width}x{height}")
    data = bytearray()
    for y in range(height):
        for x in range(width):
            for ramp in (x / width, y / height, (x + y) / (width + height)):
                data.append(min(255, int(200 * ramp) + noise.randrange(56)))
    return Image.frombytes("RGB", (width, height), bytes(data)).convert(mode)


# ---- PNG, written by hand: Pillow writes few of its kinds.


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_rows(samples, width, height, channels, depth, first=(0, 0), step=(1, 1)):
    """Filtered rows of one interlace pass; the filter types take turns."""
    pixel = max(1, channels * depth // 8)
    previous = None
    out = bytearray()
    for row, y in enumerate(range(first[1], height, step[1])):
        bits = "".join(
            format(samples[(y * width + x) * channels + c], f"0{depth}b")
            for x in range(first[0], width, step[0])
            for c in range(channels)
        )
        if not bits:
            return b""
        bits += "0" * (-len(bits) % 8)
        line = int(bits, 2).to_bytes(len(bits) // 8, "big")
        above = previous or bytes(len(line))
        kind = row % 5
        out.append(kind)
        for i, value in enumerate(line):
            a = line[i - pixel] if i >= pixel else 0
            b = above[i]
            c = above[i - pixel] if i >= pixel else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
        previous = line
    return bytes(out)


def png(width, height, color, depth, interlaced=False, before=(), behind=(), palette=None, seed=0):
    channels = PNG_TYPES[color][0]
    noise = random.Random(f"{width}x{height}/{color}/{depth}/{seed}")
    largest = (1 << depth) - 1
    if palette is None:
        palette = [noise.randrange(256) for _ in range(3 * min(256, largest + 1))]
    top = min(largest, len(palette) // 3 - 1) if color == 3 else largest
    # Half the samples are small, because 16-bit grey saturates at 255.
    samples = [noise.randrange(top + 1) >> noise.choice((0, depth // 2)) for _ in range(width * height * channels)]
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    raw = b"".join(png_rows(samples, width, height, channels, depth, p[:2], p[2:]) for p in passes)
    data = zlib.compress(raw, 9)
    cut = len(data) // 2  # into two chunks
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
        + (png_chunk(b"PLTE", bytes(palette)) if color == 3 else b"")
        + b"".join(png_chunk(*c) for c in before)
        + png_chunk(b"IDAT", data[:cut])
        + png_chunk(b"IDAT", data[cut:])
        + b"".join(png_chunk(*c) for c in behind)
        + png_chunk(b"IEND", b"")
    )


def exif(orientation, order="<"):
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def pngs(sizes):
    for color, (_, name) in PNG_TYPES.items():
        for depth in PNG_DEPTHS[color]:
            for width, height in sizes:
                for interlaced in (False, True):
                    kind = f"{name}{depth}{'_interlaced' if interlaced else ''}_{width}x{height}"
                    yield f"{kind}.png", png(width, height, color, depth, interlaced)
    w, h = 9, 7
    for color, depth, data in ((0, 2, b"\0\1"), (0, 8, b"\0\7"), (0, 16, b"\1\2"), (2, 8, b"\0\1\0\2\0\3"),
                               (2, 16, b"\0\1\0\2\0\3"), (3, 8, b"\0\x80\xff"), (3, 1, b"\0")):
        yield f"trns_{PNG_TYPES[color][1]}{depth}.png", png(w, h, color, depth, before=((b"tRNS", data),))
    yield "palette_short.png", png(w, h, 3, 8, palette=[9, 8, 7, 200, 100, 50, 1, 2, 3])
    profile = b"icc\0\0" + zlib.compress(b"no profile" * 20)
    for name, chunk in (("gama", (b"gAMA", struct.pack(">I", 220000))), ("srgb", (b"sRGB", b"\0")), ("iccp", (b"iCCP", profile)),
                        ("sbit", (b"sBIT", b"\5\6\5")), ("chrm", (b"cHRM", struct.pack(">8I", *[30000] * 8)))):
        yield f"ignored_{name}.png", png(w, h, 2, 8, before=(chunk,))
    yield "ignored_background.png", png(w, h, 6, 8, before=((b"bKGD", b"\0\1\0\2\0\3"),))
    control = struct.pack(">IIIIIHHBB", 0, w, h, 0, 0, 1, 10, 0, 0)
    second = struct.pack(">IIIIIHHBB", 1, w, h, 0, 0, 1, 10, 0, 0)
    data = struct.pack(">I", 2) + zlib.compress(bytes(h * (1 + 3 * w)))
    yield "animated.png", png(w, h, 2, 8, before=((b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", control)),
                              behind=((b"fcTL", second), (b"fdAT", data)))
    for orientation in range(1, 9):
        order = "<>"[orientation % 2]
        yield f"orientation{orientation}.png", png(w, h, 2, 8, before=((b"eXIf", exif(orientation, order)),))


# ---- JPEG


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def piped(data, *command):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def ppm(image):
    out = io.BytesIO()
    image.save(out, "PPM")
    return out.getvalue()


def with_adobe(data, transform):
    """A JPEG file with an Adobe segment of this transform, or none, in place of JFIF's and its own."""
    at, out = 2, data[:2]
    if transform is not None:
        out += b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])
    while data[at + 1] in (0xE0, 0xEE):
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return out + data[at:]


def jpegs(sizes):
    for width, height in sizes:
        image = picture(width, height)
        size = f"{width}x{height}"
        yield f"grey_{size}.jpg", jpeg(image.convert("L"), quality=85)
        yield f"grey_progressive_{size}.jpg", jpeg(image.convert("L"), quality=85, progressive=True)
        for factors in ("1x1", "2x1", "2x2", "1x2", "4x1", "1x4", "4x2", "2x4", "3x1", "1x3", "2x2,2x1,1x2", "2x2,1x2,2x1",
                        "1x1,2x2,2x2", "3x2,1x1,1x1"):
            name = factors.replace(",", "_")
            yield f"sampling_{name}_{size}.jpg", piped(ppm(image), "cjpeg", "-quality", "85", "-sample", factors)
        for factors in ("1x1", "2x1", "2x2", "1x2"):
            source = ppm(image)
            sample = ("-quality", "70", "-sample", factors)
            yield f"progressive_{factors}_{size}.jpg", piped(source, "cjpeg", *sample, "-progressive")
            yield f"arithmetic_{factors}_{size}.jpg", piped(source, "cjpeg", *sample, "-arithmetic")
            yield f"restart_{factors}_{size}.jpg", piped(source, "cjpeg", *sample, "-restart", "1B")
        yield f"arithmetic_progressive_{size}.jpg", piped(ppm(image), "cjpeg", "-arithmetic", "-progressive")
        yield f"restart_progressive_{size}.jpg", piped(ppm(image), "cjpeg", "-progressive", "-restart", "1")
        yield f"rgb_{size}.jpg", piped(ppm(image), "cjpeg", "-rgb")
        yield f"baseline_{size}.jpg", piped(ppm(image), "cjpeg", "-baseline", "-quality", "3")
        plain = jpeg(image, quality=90)
        cmyk = jpeg(image.convert("CMYK"), quality=90)
        for transform in (None, 0, 1, 2):
            name = "none" if transform is None else transform
            yield f"adobe_{name}_{size}.jpg", with_adobe(plain, transform)
            yield f"cmyk_adobe_{name}_{size}.jpg", with_adobe(cmyk, transform)
        yield f"cmyk_progressive_{size}.jpg", jpeg(image.convert("CMYK"), progressive=True)
        yield f"cmyk_subsampled_{size}.jpg", jpeg(image.convert("CMYK"), subsampling=2)
    for orientation in range(1, 9):
        data = b"Exif\0\0" + exif(orientation, "<>"[orientation % 2])
        yield f"orientation{orientation}.jpg", jpeg(picture(19, 11), exif=data, quality=90)


# ---- WebP


def webp(image, **options):
    out = io.BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()


def webps(sizes):
    for width, height in sizes:
        image = picture(width, height)
        clear = image.convert("RGBA")
        clear.putalpha(image.getchannel(2))
        size = f"{width}x{height}"
        for name, source in (("rgb", image), ("rgba", clear)):
            yield f"lossy_{name}_{size}.webp", webp(source, quality=70)
            yield f"lossless_{name}_{size}.webp", webp(source, lossless=True, exact=True)
    for orientation in (1, 3, 6, 8):
        prefix = b"Exif\0\0" if orientation == 6 else b""
        yield f"orientation{orientation}.webp", webp(picture(19, 11), exif=prefix + exif(orientation), lossless=True)
    frames = [picture(20, 14), picture(20, 14).transpose(Image.FLIP_LEFT_RIGHT)]
    for name, options in (("lossy", {}), ("lossless", {"lossless": True})):
        yield f"animated_{name}.webp", webp(frames[0], save_all=True, append_images=frames[1:], **options)
    inset = Image.new("RGBA", (20, 14))
    inset.paste(picture(8, 6), (6, 4))
    yield "animated_inset.webp", webp(inset, save_all=True, lossless=True, append_images=[f.convert("RGBA") for f in frames])


# ---- BMP


def bmp(width, height, bits, rows, palette=b"", masks=None, compression=0, header=40, colors=0):
    """rows: the bytes of the pixels; a negative height means from top to bottom."""
    if header == 12:
        information = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        information = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(rows), 0, 0, colors, 0)
        inside = b"".join(struct.pack("<I", m) for m in masks or ())
        if header > 40:
            information += inside.ljust(header - 40, b"\0")
            inside = b""
        information += inside
    begin = 14 + len(information) + len(palette)
    return b"BM" + struct.pack("<IHHI", begin + len(rows), 0, 0, begin) + information + palette + rows


def bmps(sizes):
    noise = random.Random("bmp")
    for width, height in sizes:
        size = f"{width}x{height}"
        for bits in (1, 4, 8, 16, 24, 32):
            stride = (width * bits + 31) // 32 * 4
            rows = bytes(noise.randrange(256) for _ in range(stride * height))
            colors = bytes(noise.randrange(256) for _ in range(4 << bits)) if bits <= 8 else b""
            yield f"bits{bits}_{size}.bmp", bmp(width, height, bits, rows, colors)
            yield f"bits{bits}_top_down_{size}.bmp", bmp(width, -height, bits, rows, colors)
            if bits in (1, 4, 8, 24):
                small = b"".join(colors[4 * i : 4 * i + 3] for i in range(len(colors) // 4))
                yield f"bits{bits}_core_{size}.bmp", bmp(width, height, bits, rows, small, header=12)
            for header in (40, 52, 56, 108, 124):
                for name, of, masks in (("565", 16, (0xF800, 0x7E0, 0x1F)), ("555", 16, (0x7C00, 0x3E0, 0x1F)),
                                        ("bgrx", 32, (0xFF0000, 0xFF00, 0xFF)), ("xbgr", 32, (0xFF000000, 0xFF0000, 0xFF00)),
                                        ("rgba", 32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000))):
                    if of != bits or (len(masks) == 4 and header < 56):
                        continue
                    yield f"fields_{name}_{header}_{size}.bmp", bmp(width, height, bits, rows, b"", masks, 3, header)
        index = [noise.randrange(16) for _ in range(width * height)]
        colors = bytes(noise.randrange(256) for _ in range(4 * 16))
        grey = b"".join(bytes([i, i, i, 0]) for i in range(256))
        for name, palette in (("color", colors), ("grey", grey)):
            yield f"rle8_{name}_{size}.bmp", bmp(width, height, 8, rle8(index, width), palette, None, 1, 40, len(palette) // 4)
        yield f"rle4_{size}.bmp", bmp(width, height, 4, rle4(index, width), colors, None, 2, 40, 16)
        yield f"few_colors_{size}.bmp", bmp(width, height, 8, bytes(
            index[y * width + x] if x < width else 0 for y in range(height) for x in range((width + 3) // 4 * 4)), colors, colors=16)


def rle8(index, width):
    """Runs and literals in turn, rows ended, the picture ended."""
    out = bytearray()
    for y in range(0, len(index), width):
        row = index[y : y + width]
        at = 0
        while at < len(row):
            literal = row[at : at + 5]
            if len(literal) >= 3 and at % 2 == 0:
                out += bytes([0, len(literal), *literal]) + b"\0" * (len(literal) % 2)
                at += len(literal)
            else:
                out += bytes([1, row[at]])
                at += 1
        out += b"\0\0"
    return bytes(out) + b"\0\1"


def rle4(index, width):
    out = bytearray()
    for y in range(0, len(index), width):
        row = index[y : y + width]
        for at in range(0, len(row), 2):
            pair = (row[at : at + 2] + [0])[:2]
            out += bytes([len(row[at : at + 2]), pair[0] << 4 | pair[1]])
        out += b"\0\0"
    return bytes(out) + b"\0\1"


# ---- PNM


def pnms(sizes):
    noise = random.Random("pnm")
    for width, height in sizes:
        size = f"{width}x{height}"
        bits = "".join(noise.choice("01") for _ in range(width * height))
        yield f"p1_{size}.pbm", f"P1\n# a comment\n{width} {height}\n{' '.join(bits)}\n".encode()
        yield f"p1_dense_{size}.pbm", f"P1 {width} {height} {bits}".encode()
        rows = bytes(noise.randrange(256) for _ in range((width + 7) // 8 * height))
        yield f"p4_{size}.pbm", f"P4\n{width} {height}\n".encode() + rows
        for largest in (1, 7, 100, 255, 256, 1000, 65535):
            for kind, samples in ((2, 1), (3, 3)):
                values = [noise.randrange(largest + 1) >> noise.choice((0, 0, 8)) for _ in range(width * height * samples)]
                head = f" {width}\t{height} # {kind}\n{largest}\n"
                ending = ".pgm" if kind == 2 else ".ppm"
                text = "\n".join(map(str, values))
                yield f"p{kind}_{largest}_{size}{ending}", f"P{kind}{head}{text}\n".encode()
                packed = struct.pack(f">{len(values)}{'H' if largest > 255 else 'B'}", *values)
                yield f"p{kind + 3}_{largest}_{size}{ending}", f"P{kind + 3}{head}".encode() + packed


def expected(data):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    return {"width": image.width, "height": image.height, "crc32": zlib.crc32(image.tobytes())}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where the files go")
    parser.add_argument("--all", action="store_true", help="many sizes: thousands of files")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.all:
        small = [(w, h) for w in range(1, 10) for h in range(1, 10)]
        sizes = [(w, h) for w in (1, 2, 3, 7, 8, 9, 15, 16, 17, 33) for h in (1, 2, 3, 7, 8, 9, 15, 16, 17, 33)] + [(200, 133), (133, 200)]
        sets = pngs(small), jpegs(sizes), webps(sizes), bmps(small), pnms(small)
    else:
        interlaced = [(n, n) for n in range(1, 9)] + [(1, 8), (8, 1), (2, 5), (5, 1)]
        passes = [(f"passes_{w}x{h}.png", png(w, h, 2, 8, True)) for w, h in interlaced]
        sets = passes, pngs([(3, 5)]), jpegs([(17, 9)]), webps([(17, 9)]), bmps([(5, 3)]), pnms([(5, 3)])
    table = {}
    for files in sets:
        for name, data in files:
            (args.folder / name).write_bytes(data)
            try:
                table[name] = expected(data)
            except (OSError, SyntaxError, ValueError, EOFError) as error:
                print(f"{name}: Pillow: {error}")
                table[name] = None
    reference = f"Pillow {Image.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}, libwebp {features.version('webp')}"
    lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in table.items())
    (args.folder / "expected.json").write_text(f'{{"reference": "{reference}", "files": {{\n{lines}\n}}}}\n')
    print(f"{len(table)} files in {args.folder}")


if __name__ == "__main__":
    main()
