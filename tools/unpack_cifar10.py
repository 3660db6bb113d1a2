#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unpacks a file of CIFAR-10 records into CLASS/NUMBER.jpg, the layout that `fovea validate` reads.

A record is a uint8 label, the uint32 little-endian length of what follows, and a JPEG file. The class
names come from the "label_names" of a checkpoint's config.json.
"""
import argparse
import json
import pathlib
import struct
import sys

HEADER = struct.Struct("<BI")


def records(data):
    """Yields (label, JPEG bytes) of every record; ValueError where the file is not what it should be."""
    at = 0
    while at < len(data):
        if at + HEADER.size > len(data):
            raise ValueError(f"at byte {at}: a record's header is cut off")
        label, length = HEADER.unpack_from(data, at)
        at += HEADER.size
        jpeg = data[at : at + length]
        if len(jpeg) != length or jpeg[:2] != b"\xff\xd8":
            raise ValueError(f"at byte {at}: no JPEG file of {length} bytes")
        at += length
        yield label, jpeg


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=pathlib.Path, help="file of records")
    parser.add_argument("config", type=pathlib.Path, help="config.json with label_names")
    parser.add_argument("folder", type=pathlib.Path, help="where the class folders are made")
    parser.add_argument("--first", type=int, default=0, help="number of the first record to take")
    parser.add_argument("--count", type=int, help="how many to take (default: all)")
    args = parser.parse_args()

    names = json.loads(args.config.read_text())["label_names"]
    last = None if args.count is None else args.first + args.count
    written = 0
    try:
        for number, (label, jpeg) in enumerate(records(args.records.read_bytes())):
            if number < args.first or (last is not None and number >= last):
                continue
            if label >= len(names):
                raise ValueError(f"record {number}: label {label}, but {len(names)} class names")
            folder = args.folder / names[label]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:04d}.jpg").write_bytes(jpeg)
            written += 1
    except ValueError as error:
        sys.exit(f"{args.records}: {error}")
    print(f"{written} pictures in {args.folder}")


if __name__ == "__main__":
    main()
