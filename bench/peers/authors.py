# SPDX-License-Identifier: Apache-2.0
"""Networks that only their authors' code builds: from clones of their repositories, which the caller makes.

    git clone https://github.com/MzeroMiko/VMamba      DIR/VMamba
    git clone https://github.com/YuHengsss/VSSD        DIR/VSSD
    git clone https://github.com/qhfan/RALA            DIR/RALA
    git clone https://github.com/LeapLabTHU/Agent-Attention DIR/Agent-Attention
    ./dev authors DIR

compares them, on PyTorch with their own scans and on ONNX Runtime where they export, with Fovea: the same random
weights and input, in turns. Writes bench/results/authors.md.
"""

import argparse
import contextlib
import importlib
import os
import pathlib
import statistics
import sys
import types

FOLDER = "FOVEA_AUTHORS"  # the environment variable that names DIR


def load(folder, module):
    """A module of a clone, whose folders have no package of their own."""
    sys.modules.pop(module, None)  # clones name their modules alike
    sys.path.insert(0, str(pathlib.Path(os.environ[FOLDER]) / folder))
    try:
        return importlib.import_module(module)
    finally:
        del sys.path[0]


def absent(name, *members):
    """An empty module in place of one that needs a GPU and is not reached here."""
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
    for member in members:
        setattr(sys.modules[name], member, None)


def vmamba_tiny_s1l8():
    absent("triton.language", "constexpr", "tensor")  # its kernels are defined, and used on a GPU only
    sys.modules["triton"].jit = lambda function: function
    absent("mamba2.ssd_minimal", "selective_scan_chunk_fn")
    import torch

    torch.cuda.device = lambda device: contextlib.nullcontext()  # its scan asks for it on any device
    return load("VMamba/classification/models", "vmamba").vmamba_tiny_s1l8()


def vssd_tiny():
    absent("mamba_ssm.ops.triton.ssd_combined", "mamba_chunk_scan_combined", "mamba_split_conv1d_scan_combined")
    absent("mamba_ssm.ops.triton.layernorm_gated", "RMSNorm")
    absent("mamba_ssm.ops.triton.selective_state_update", "selective_state_update")
    module = load("VSSD/classification/models", "mamba2")
    module.to_ttensor = lambda *tensors: tensors if len(tensors) > 1 else tensors[0]
    return module.VMAMBA2(embed_dim=64, depths=[2, 4, 8, 4], num_heads=[2, 4, 8, 16], d_state=64)


def ravlt_t():
    return load("RALA/classfication", "RALA").RAVLT_T()


def agent_swin_t():
    module = load("Agent-Attention/agent_transformer/models", "agent_swin")
    return module.AgentSwinTransformer(window_size=56, attn_type="AAAB", agent_num=[9, 16, 49, 49])


# Whose scans are loops of thousands of steps, each of which would become nodes of an ONNX graph.
UNROLLED = {"vmamba_tiny_s1l8"}
NETWORKS = {f.__name__: f for f in (vmamba_tiny_s1l8, vssd_tiny, ravlt_t, agent_swin_t)}


def compare(network, folder, threads, options):
    """{engine: milliseconds}, medians over rounds in turns; Fovea's share of the peak and its distance from PyTorch."""
    import engines
    import peers

    names = ["fovea native", "torch"] + (["onnxruntime"] if (folder / "model.onnx").exists() else [])
    running = [peers.start(name, folder, threads, options.tool) for name in names]
    try:
        logits = {engine.name: engine.logits() for engine in running}
        turns = {name: [] for name in names}
        for _ in range(options.rounds):
            for engine in running:
                turns[engine.name].append(engine.run(options.seconds))
    finally:
        for engine in running:
            engine.close()
    ms = {name: statistics.median(turn["ms"] for turn in turns[name]) for name in names}
    ours = turns["fovea native"]
    peak = statistics.median(turn["peak"] for turn in ours)
    share = 2 * ours[0]["gmacs"] / ms["fovea native"] / peak * 1e5
    return ms, share, max(peers.relative_l2(logits[name], logits["torch"]) for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", type=pathlib.Path)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), help="default: all")
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--tool", default=root / "build/release/fovea")
    parser.add_argument("--work", type=pathlib.Path, default=root / "build/peers")
    parser.add_argument("--out", type=pathlib.Path, default=root / "bench/results/authors.md")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    os.environ[FOLDER] = str(options.clones.resolve())

    import networks
    import report

    lines = ["| network | threads | Fovea, ms | % of peak | PyTorch, ms | | ONNX Runtime, ms | | relative L2 |",
             "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for name in options.networks:
        folder = networks.build(name, options.work / name)
        for threads in options.threads:
            ms, share, distance = compare(name, folder, threads, options)
            ours = ms["fovea native"]
            cells = [f"{ms[e]:.1f} | {ms[e] / ours:.1f}x" if e in ms else "does not export | " for e in ("torch", "onnxruntime")]
            lines.append(f"| {name} | {threads} | {ours:.1f} | {share:.0f} | {cells[0]} | {cells[1]} | {distance:.1e} |")
            print(lines[-1], flush=True)
    text = [report.machine()["processor"], report.machine()["engines"], report.machine()["date"], "", *lines]
    options.out.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
