#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From JPEG bytes to the input of a network: Fovea against Pillow and torchvision.

    bench/peers/pictures.py build/release/bench/libpicture_peer.so [FILE.jpg ...]

Wants Pillow, torchvision, timm and numpy. Both sides work on the same bytes in one process and on
one thread, in turns; the table has medians of that thread's processor time. That both compute the same, bit by bit, is checked
first. Without files: two synthetic photographs, 500 x 375 and 4000 x 3000.
"""
import argparse
import ctypes
import io
import statistics
import sys
import time

import numpy
import torch
from PIL import Image, features
from timm.data import create_transform

SIZE = 224
CROP_PCT = 0.9


def photo(width, height):
    """Smooth shapes and sensor noise, as a JPEG of quality 90 with 4:2:0 sampling."""
    random = numpy.random.default_rng(0)
    shapes = random.integers(20, 236, (height // 24 + 2, width // 24 + 2, 3), numpy.uint8)
    smooth = Image.fromarray(shapes).resize((width, height), Image.BICUBIC)
    noisy = numpy.asarray(smooth) + random.uniform(-6, 6, (height, width, 3))
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


class Fovea:
    def __init__(self, library, fast_decode=False):
        self.prepare = ctypes.CDLL(library).fovea_prepare
        self.prepare.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_double,
                                 ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
        self.fast_decode = fast_decode
        self.out = numpy.empty((SIZE, SIZE, 3), numpy.float32)
        self.milliseconds = numpy.empty(1)

    def __call__(self, file):
        if self.prepare(file, len(file), SIZE, CROP_PCT, self.fast_decode, self.out.ctypes.data,
                        self.milliseconds.ctypes.data):
            sys.exit("fovea cannot read the picture")
        return [float(self.milliseconds[0])]

    def result(self):
        return self.out


class Torchvision:
    def __init__(self):
        self.transform = create_transform(SIZE, interpolation="bicubic", crop_pct=CROP_PCT)

    def __call__(self, file):
        start = time.thread_time()
        image = Image.open(io.BytesIO(file)).convert("RGB")
        decoded = time.thread_time()
        self.tensor = self.transform(image)
        return [1e3 * (decoded - start), 1e3 * (time.thread_time() - start)]

    def result(self):
        return self.tensor.permute(1, 2, 0).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", help="libpicture_peer.so")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--seconds", type=float, default=10, help="for each picture")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"Pillow {Image.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}")
    ours, fast = Fovea(arguments.library), Fovea(arguments.library, fast_decode=True)
    theirs = Torchvision()
    if arguments.files:
        pictures = {name: open(name, "rb").read() for name in arguments.files}
    else:
        pictures = {f"{w} x {h}": photo(w, h) for w, h in [(500, 375), (4000, 3000)]}

    print("| picture | kB | Pillow, torchvision (decoding) | Fovea | ratio | with --fast-decode "
          "| ratio |\n|---|---|---|---|---|---|---|")
    for name, file in pictures.items():
        ours(file)
        theirs(file)
        if not numpy.array_equal(ours.result(), theirs.result()):
            sys.exit(f"{name}: the results differ")
        runs = []
        end = time.perf_counter() + arguments.seconds
        while time.perf_counter() < end or len(runs) < 5:
            runs.append(theirs(file) + ours(file) + fast(file))
        decode, whole, a, b = (statistics.median(column) for column in zip(*runs))
        print(f"| {name} | {len(file) / 1e3:.0f} | {whole:.2f} ms ({decode:.2f} ms) "
              f"| {a:.2f} ms | {whole / a:.2f} | {b:.2f} ms | {whole / b:.2f} |")


if __name__ == "__main__":
    main()
