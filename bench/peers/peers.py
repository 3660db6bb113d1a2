# SPDX-License-Identifier: Apache-2.0
"""Compares Fovea with other engines on this machine, in one run; `./dev peers` prepares what it needs.

Every engine gets the same random weights, the same input and the same number of threads. For each network and
number of threads, rounds go from engine to engine, so that all of them see the same clocks and the same noise; a
figure is the median over the rounds of each round's median. Before that, each engine's logits are compared with
PyTorch's.
"""

import argparse
import math
import pathlib
import statistics
import sys
import time

import engines
import networks
import report

NETWORKS = [
    "vit_base_patch16_224", "deit_small_patch16_224", "swin_tiny_patch4_window7_224", "convnext_tiny",
    "poolformer_s12", "mambaout_tiny", "swinv2_tiny_window8_256", "caformer_s18", "convnext_atto",
]
FOVEA = ["fovea native", "fovea onednn", "fovea eigen"]
OTHERS = ["onnxruntime", "openvino", "torch"]
LARGEST_DIFFERENCE = 1e-3  # relative L2 of logits


def relative_l2(a, b):
    """Of logits without their mean, which softmax does not see."""
    def centred(v):
        mean = statistics.fmean(v)
        return [x - mean for x in v]

    a, b = centred(a), centred(b)
    return math.dist(a, b) / math.hypot(*b)


def start(name, folder, threads, tool):
    if name in FOVEA:
        return engines.Fovea(tool, name, folder, threads)
    return engines.Served(name, folder, threads)


def compare(network, folder, threads, options):
    """One row for each engine."""
    running = [start(name, folder, threads, options.tool) for name in options.engines]
    try:
        logits = {engine.name: engine.logits() for engine in running}
        wanted = logits["torch"]
        turns = {engine.name: [] for engine in running}
        for _ in range(options.rounds):
            for engine in running:
                time.sleep(0.2)  # threads that still wait for work of the engine before go to sleep
                turns[engine.name].append(engine.run(options.seconds))
    finally:
        for engine in running:
            engine.close()
    ours = [turn for name in FOVEA for turn in turns.get(name, [])]
    peak = statistics.median(turn["peak"] for turn in ours)
    gmacs = ours[0]["gmacs"]
    rows = []
    for name in options.engines:
        times = [turn["ms"] for turn in turns[name]]
        ms = statistics.median(times)
        rows.append({
            "network": network, "threads": threads, "engine": name, "ms": round(ms, 3),
            "fastest_round_ms": round(min(times), 3), "slowest_round_ms": round(max(times), 3),
            "gmacs": gmacs, "peak_gflops": peak, "percent_of_peak": round(100 * 2 * gmacs / ms / peak * 1e3, 2),
            "relative_l2": float(f"{relative_l2(logits[name], wanted):.2e}"),
        })
    return rows


def show(rows):
    for row in rows:
        print(f"  {row['engine']:14} {row['ms']:9.2f} ms  {row['percent_of_peak']:5.1f} % of peak  "
              f"rounds {row['fastest_round_ms']:.2f} to {row['slowest_round_ms']:.2f}  "
              f"relative L2 {row['relative_l2']:.1e}", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="timm's names; default: " + ", ".join(NETWORKS))
    parser.add_argument("--tool", default="build/release/fovea", help="the built program")
    parser.add_argument("--work", default="build/peers/networks", help="where exported networks are kept")
    parser.add_argument("--results", default="bench/results", help="where table and plot go")
    parser.add_argument("--readme", default="README.md", help="whose generated block is rewritten; '' for none")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="timed forwards of one engine in one round")
    parser.add_argument("--engines", nargs="+", default=FOVEA + OTHERS, choices=FOVEA + OTHERS)
    options = parser.parse_args()
    if "torch" not in options.engines or "fovea native" not in options.engines:
        parser.error('--engines wants "torch", which the others\' logits are compared with, and "fovea native"')
    return options


def main():
    options = parse()
    begin = time.monotonic()
    rows = []
    for network in options.networks:
        folder = networks.build(network, pathlib.Path(options.work) / network)
        for threads in options.threads:
            print(f"{network}, {threads} thread{'s' if threads > 1 else ''}", flush=True)
            rows += compare(network, folder, threads, options)
            show(rows[-len(options.engines):])
    report.write(rows, options)
    print(f"{options.results}: peers.csv, peers.md, peers.png; {time.monotonic() - begin:.0f} s")
    wrong = [r for r in rows if not r["relative_l2"] < LARGEST_DIFFERENCE]
    for r in wrong:
        print(f"{r['network']}: the logits of {r['engine']} differ from PyTorch's by {r['relative_l2']}, "
              f"more than {LARGEST_DIFFERENCE}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
