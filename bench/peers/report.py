# SPDX-License-Identifier: Apache-2.0
"""The comparison's rows as CSV, as a table and as a plot, and both in the README."""

import csv
import datetime
import importlib.metadata
import math
import pathlib
import platform
import re
import statistics
import subprocess

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import matplotlib.ticker

# Colours that are told apart with any kind of colour vision (Okabe and Ito), and markers.
STYLE = {
    "fovea native": ("#D55E00", "o"),
    "fovea onednn": ("#E69F00", "s"),
    "fovea eigen": ("#F0E442", "D"),
    "onnxruntime": ("#0072B2", "^"),
    "openvino": ("#009E73", "v"),
    "torch": ("#777777", "P"),
}
LABEL = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch"}
BEGIN = "<!-- peers: written by ./dev peers -->"
END = "<!-- peers end -->"


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def processor():
    """Facts of /proc/cpuinfo, one line."""
    text = pathlib.Path("/proc/cpuinfo").read_text()

    def first(key):
        found = re.search(rf"^{key}\s*:\s*(.*)$", text, re.M)
        return found.group(1) if found else "unknown"

    flags = set(first("flags").split())
    sets = [f for f in ("avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "avx512_vnni", "amx_tile") if f in flags]
    return (f"{first('model name')} (family {first('cpu family')}, model {first('model')}), "
            f"{len(re.findall(r'^processor', text, re.M))} logical processors, {' '.join(sets)}")


def machine():
    """The processor and what was compared, one line each."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], stdout=subprocess.PIPE, text=True, check=False)
    import torch

    return {
        "processor": processor(),
        "system": f"{platform.system()} {platform.release()}, glibc {platform.libc_ver()[1]}",
        "engines": f"Fovea {commit.stdout.strip()}, ONNX Runtime {version('onnxruntime')}, "
                   f"OpenVINO {version('openvino').split('-')[0]}, PyTorch {torch.__version__} (eager), "
                   f"timm {version('timm')}",
        "date": datetime.date.today().isoformat(),
    }


def by_engine(rows, threads):
    """{network: {engine: row}} of one number of threads, in order."""
    table = {}
    for row in rows:
        if row["threads"] == threads:
            table.setdefault(row["network"], {})[row["engine"]] = row
    return table


def ratio(rows, engine, of="fovea native"):
    return rows[engine]["ms"] / rows[of]["ms"]


def label(engine):
    return LABEL.get(engine, "Fovea, " + engine.split()[-1])


def table(rows, threads):
    """Milliseconds of every engine, and what Fovea's native backend makes of the peak and of the others."""
    networks = by_engine(rows, threads)
    names = list(next(iter(networks.values())))
    others = [n for n in names if not n.startswith("fovea")]
    head = ["network", *[label(n) + ", ms" for n in names], "native, % of peak",
            *["against " + label(n) for n in others]]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    for network, cells in networks.items():
        fastest = min(cells[n]["ms"] for n in names)
        times = [f"**{cells[n]['ms']:.1f}**" if cells[n]["ms"] == fastest else f"{cells[n]['ms']:.1f}" for n in names]
        lines.append("| " + " | ".join([network, *times, f"{cells['fovea native']['percent_of_peak']:.0f}",
                                        *[f"{ratio(cells, n):.2f}x" for n in others]]) + " |")
    means = [f"{statistics.geometric_mean(ratio(c, n) for c in networks.values()):.2f}x" for n in others]
    lines.append("| geometric mean |" + " |" * (len(names) + 1) + " " + " | ".join(means) + " |")
    return "\n".join(lines)


def peak(rows, threads):
    return statistics.median(r["peak_gflops"] for r in rows if r["threads"] == threads)


def spread(values, gap):
    """The values in rising order, moved apart by at least `gap`, centred where they were."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    places = [values[i] for i in order]
    for _ in range(200):
        for a in range(len(places) - 1):
            short = gap - (places[a + 1] - places[a])
            if short > 0:
                places[a] -= short / 2
                places[a + 1] += short / 2
    result = [0.0] * len(values)
    for place, i in zip(places, order):
        result[i] = place
    return result


def panel(axis, rows, threads):
    """Time against multiply-accumulates, with lines of equal share of the peak."""
    networks = by_engine(rows, threads)
    gmacs = [next(iter(cells.values()))["gmacs"] for cells in networks.values()]
    times = [row["ms"] for cells in networks.values() for row in cells.values()]
    left, right = min(gmacs) / 1.7, max(gmacs) * 1.9
    bottom, top = min(min(times), 2e3 * min(gmacs) / peak(rows, threads)) / 3.2, max(max(times), 8e3 * right / peak(rows, threads)) * 1.2
    for share in (100, 75, 50, 25):
        def at(g, share=share):
            return 2e3 * g / peak(rows, threads) / (share / 100)
        axis.plot([left, right], [at(left), at(right)], color="#999999", lw=0.8, ls="-" if share == 100 else "--",
                  zorder=1)
        axis.text(right * 1.03, at(right), f"{share} %", fontsize=7, color="#666666", ha="left", va="center")
    for engine in next(iter(networks.values())):
        colour, marker = STYLE[engine]
        ours = engine == "fovea native"
        axis.scatter(gmacs, [cells[engine]["ms"] for cells in networks.values()], marker=marker, color=colour,
                     s=52 if ours else 28, edgecolor="black" if ours else "white", linewidth=0.6,
                     zorder=4 if ours else 3, label=label(engine))
    axis.set(xscale="log", yscale="log", xlim=(left, right), ylim=(bottom, top), xlabel="GMACs of one picture",
             title=f"{threads} thread{'s' if threads > 1 else ''}, peak {peak(rows, threads):.0f} GFLOP/s")
    places = spread([math.log(g) for g in gmacs], math.log(right / left) / 24)
    for (name, cells), g, place in zip(networks.items(), gmacs, places):
        low = min(row["ms"] for row in cells.values())
        axis.annotate(name.split("_patch")[0].replace("_window8_256", ""), xy=(g, low * 0.93),
                      xytext=(math.exp(place), bottom * 1.06), rotation=90, fontsize=6.5, color="#444444", ha="center",
                      va="bottom", arrowprops={"arrowstyle": "-", "color": "#cccccc", "lw": 0.6})
    for which, (low, high) in ((axis.xaxis, (left, right)), (axis.yaxis, (bottom, top))):
        steps = [m * 10.0**e for e in range(-3, 6) for m in (1, 2, 5)]
        which.set_major_locator(matplotlib.ticker.FixedLocator([s for s in steps if low < s < high]))
        which.set_minor_locator(matplotlib.ticker.NullLocator())
        which.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda v, _: f"{v:g}"))
    axis.spines[["top", "right"]].set_visible(False)


def plot(rows, path):
    threads = sorted({row["threads"] for row in rows})
    figure, axes = plt.subplots(1, len(threads), figsize=(5.4 * len(threads), 5), squeeze=False)
    for axis, count in zip(axes[0], threads):
        panel(axis, rows, count)
    axes[0][0].set_ylabel("milliseconds, batch 1, fp32")
    axes[0][0].legend(fontsize=8, frameon=False, loc="upper left")
    figure.suptitle("Time against arithmetic; the lines are shares of the measured FMA peak", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def write(rows, options):
    folder = pathlib.Path(options.results)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "peers.csv", "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    plot(rows, folder / "peers.png")
    facts = machine()
    parts = [f"{facts['processor']}. {facts['engines']}. {facts['date']}."]
    for threads in sorted({row["threads"] for row in rows}):
        parts.append(f"{threads} thread{'s' if threads > 1 else ''}, batch 1, fp32, measured peak "
                     f"{peak(rows, threads):.1f} GFLOP/s:")
        parts.append(table(rows, threads))
    block = "\n\n".join(parts)
    worst = max(row["relative_l2"] for row in rows)
    method = (f"Medians of {options.rounds} interleaved rounds of at least {options.seconds} s; the same random "
              f"weights and input for all. The logits of all engines agree with PyTorch's to a relative L2 of "
              f"{worst:.1e}. {facts['system']}.")
    (folder / "peers.md").write_text(f"# Fovea and other engines\n\n{block}\n\n{method}\n\n"
                                     "![Time against arithmetic](peers.png)\n", encoding="utf-8")
    if options.readme:
        rewrite(pathlib.Path(options.readme), f"{block}\n\n{method}\n\n![Time against arithmetic]({folder}/peers.png)")


def rewrite(readme, block):
    text = readme.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN), text.index(END)
    readme.write_text(f"{text[:begin]}{BEGIN}\n\n{block}\n\n{text[end:]}", encoding="utf-8")
