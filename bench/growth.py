# SPDX-License-Identifier: Apache-2.0
"""Draws how the time of mixers grows with the number of tokens: `./dev growth` runs it.

Times are those of the blocks "growth/..." of blocks_bench, on one thread of the native backend; the picture is
written to bench/results/growth.png beside growth.csv and growth.md.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers"))
import report  # noqa: E402  (the machine's description, and matplotlib without a screen)
import matplotlib.pyplot as plt  # noqa: E402
import matplotlib.ticker  # noqa: E402

# Colours that are told apart with any kind of colour vision (Okabe and Ito), and markers.
STYLE = {
    "attention": ("#D55E00", "o"),
    "window attention 7x7": ("#E69F00", "s"),
    "linear attention": ("#0072B2", "^"),
    "gated linear attention": ("#56B4E9", "v"),
    "causal duality, state 64": ("#CC79A7", "P"),
    "non-causal duality, state 64": ("#F0E442", "p"),
    "selective scan, state 1": ("#009E73", "D"),
    "selective scan, state 16": ("#000000", "X"),
    "pooling 3x3": ("#777777", "*"),
}


PLOTTED_WIDTH = 96


def measure(program, repetitions):
    """{(mixer, channels): {tokens: microseconds}}, medians."""
    command = [program, "--benchmark_filter=^growth/", "--benchmark_format=json",
               f"--benchmark_repetitions={repetitions}", "--benchmark_enable_random_interleaving=true",
               "--benchmark_min_time=0.1", "--benchmark_report_aggregates_only=true"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    times = {}
    for row in json.loads(done.stdout[done.stdout.index("{"):])["benchmarks"]:
        # What takes long is run once, and has no median.
        if row.get("aggregate_name") != "median" and row["repetitions"] != 1:
            continue
        _, mixer, channels, tokens = row["name"].split("/")[:4]
        times.setdefault((mixer, int(channels)), {})[int(tokens)] = row["real_time"]
    return times


def draw(times, path):
    figure, axes = plt.subplots(figsize=(8, 5.5))
    for mixer, (colour, marker) in STYLE.items():
        row = times.get((mixer, PLOTTED_WIDTH), {})
        if row:
            tokens = sorted(row)
            axes.plot(tokens, [row[t] / 1e3 for t in tokens], color=colour, marker=marker, label=mixer)
    axes.set_xscale("log")
    axes.set_yscale("log")
    lengths = sorted({t for row in times.values() for t in row})
    axes.set_xticks(lengths, [f"{t:,}\n{round(t ** 0.5)} x {round(t ** 0.5)}" for t in lengths])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.set_xlabel("tokens")
    axes.set_ylabel("time of one block, ms")
    axes.grid(True, alpha=0.3)
    axes.legend(frameon=False)
    axes.set_title(f"Mixers of tokens: {PLOTTED_WIDTH} channels, {PLOTTED_WIDTH // 32} heads, fp32, one thread")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def table(times):
    lengths = sorted({t for row in times.values() for t in row})
    lines = ["| mixer, nanoseconds per token | channels | " + " | ".join(f"{t:,} tokens" for t in lengths) + " |",
             "|---|--:|" + "--:|" * len(lengths)]
    for (mixer, channels), row in sorted(times.items(), key=lambda item: item[0][::-1]):
        cells = [f"{row[t] * 1e3 / t:,.0f}" if t in row else "" for t in lengths]
        lines.append(f"| {mixer} | {channels} | " + " | ".join(cells) + " |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="blocks_bench")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "results")
    parser.add_argument("--repetitions", type=int, default=3, help="at least 2")
    options = parser.parse_args()
    times = measure(options.program, options.repetitions)
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.out / "growth.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["mixer", "channels", "tokens", "microseconds"])
        for (mixer, channels), row in times.items():
            writer.writerows([mixer, channels, t, round(row[t], 2)] for t in sorted(row))
    draw(times, options.out / "growth.png")
    lines = table(times)
    (options.out / "growth.md").write_text("\n".join([report.processor(), "", *lines]) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
