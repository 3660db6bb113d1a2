# SPDX-License-Identifier: Apache-2.0
"""The engines, each behind the same three words: start, logits, run.

Engines with a Python interface live in a process of their own (`python engines.py NAME FOLDER THREADS`), so that
none sees the threads of another; Fovea's backends are `fovea benchmark`.
"""

import contextlib
import json
import math
import os
import pathlib
import subprocess
import sys
import time

WARM = 1  # forward at the beginning of every turn that is not counted
LEAST = 3  # forwards of every turn that are


# --- In the process of an engine: a function from nothing to logits.

def load_torch(folder, threads):
    import networks
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    model = networks.create(json.loads((folder / "config.json").read_text())["architecture"])
    x = torch.from_numpy(np.load(folder / "input.npy"))

    def arrange(layout):
        model.to(memory_format=layout)
        return x.contiguous(memory_format=layout)

    def forward():
        with torch.inference_mode():
            return model(image).numpy()

    speed = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        try:
            image = arrange(layout)
        except RuntimeError:  # parameters of five dimensions have no such layout
            continue
        speed[layout] = min(timed(forward, 0.5))
    image = arrange(min(speed, key=speed.get))
    return forward


def load_onnxruntime(folder, threads):
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    x = np.load(folder / "input.npy")
    return lambda: session.run(None, {"input": x})[0]


def load_openvino(folder, threads):
    import numpy as np
    import openvino

    # Some processors would get bf16 by default.
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(folder / "model.onnx"), "CPU", config)
    request = compiled.create_infer_request()
    x = np.load(folder / "input.npy")
    return lambda: request.infer([x], share_inputs=True)[compiled.output(0)]


LOADERS = {"onnxruntime": load_onnxruntime, "openvino": load_openvino, "torch": load_torch}


def timed(forward, seconds):
    """Milliseconds of at least LEAST forwards that take at least `seconds` together."""
    for _ in range(WARM):
        forward()
    times = []
    while len(times) < LEAST or sum(times) < seconds * 1e3:
        start = time.perf_counter()
        forward()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def serve(name, folder, threads):
    """Answers each line on standard input, "logits" or a number of seconds, with a line of JSON."""
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for answers
        forward = LOADERS[name](folder, threads)
    for line in sys.stdin:
        if line.strip() == "logits":
            answer = [float(v) for v in forward()[0]]
        else:
            answer = sorted(timed(forward, float(line)))
        print(json.dumps(answer), flush=True)


# --- In the process that compares.

class Served:
    """An engine in a process of its own."""

    def __init__(self, name, folder, threads):
        self.name = name
        count = str(threads)
        libraries = {"OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count}
        self.process = subprocess.Popen(
            [sys.executable, __file__, name, str(folder), count], env={**os.environ, **libraries},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended with code {self.process.wait()}; its message is above")
        return json.loads(answer)

    def logits(self):
        return self.ask("logits")

    def run(self, seconds):
        times = self.ask(str(seconds))
        return {"ms": times[len(times) // 2]}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Fovea:
    """A backend of Fovea; `name` is "fovea native", "fovea onednn", ..."""

    def __init__(self, tool, name, folder, threads):
        self.tool, self.name, self.folder, self.threads = tool, name, folder, threads

    def call(self, command, *arguments):
        backend = self.name.split()[1]
        done = subprocess.run(
            [self.tool, command, *map(str, arguments), "--json", "--backend", backend, "--threads", str(self.threads)],
            stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)[0]

    def logits(self):
        """From the probabilities of all classes: the logits but for a constant."""
        classes = json.loads((self.folder / "config.json").read_text())["num_classes"]
        labels = self.call("classify", "--model", self.folder, "--topk", classes, self.folder / "input.png")["labels"]
        return [math.log(label["probability"]) for label in sorted(labels, key=lambda label: label["index"])]

    def run(self, seconds):
        row = self.call("benchmark", self.folder, "--num-warm-iter", WARM, "--num-bench-iter", LEAST,
                        "--min-time", seconds)
        return {"ms": row["infer_step_time"], "gmacs": row["infer_gmacs"], "peak": row["peak_gflops"]}

    def close(self):
        pass


if __name__ == "__main__":
    serve(sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]))
