# SPDX-License-Identifier: Apache-2.0
"""One network for all engines: timm's module with random weights, as a hub folder, as ONNX, and an input."""

import inspect
import json
import os
import pathlib
import warnings
import zlib

# PyTorch of Debian; nothing is ever fetched from the hub.
os.environ["HF_HUB_OFFLINE"] = "1"

import authors
import numpy as np
import safetensors.torch
import timm
import timm.layers
import torch
from PIL import Image

OPSET = 16
# The exporter that old and new PyTorch have; new ones default to another.
TRACER = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}


def randomize(model, seed):
    """Weights under which every block matters to the output.

    timm starts layer scales at 1e-6, some norms and all biases at 0: a block computed wrongly would not show.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            largest = p.abs().max().item()
            if p.ndim == 1 and largest == 0 and name.endswith("bias"):
                p.copy_(0.05 * torch.randn(p.shape, generator=generator))
            elif p.ndim == 1 and largest < 1e-3:
                p.copy_(0.1 + 0.2 * torch.rand(p.shape, generator=generator))
            elif p.ndim == 1:
                p.mul_(0.8 + 0.4 * torch.rand(p.shape, generator=generator))
            elif name.endswith("weight"):
                fan_in = p.numel() / p.shape[0]
                p.copy_(torch.randn(p.shape, generator=generator) / fan_in**0.5)


def create(name):
    """The module, its input size and seed; the same on every call."""
    timm.layers.set_exportable(True)
    seed = zlib.crc32(name.encode())
    torch.manual_seed(seed)
    model = authors.NETWORKS[name]() if name in authors.NETWORKS else timm.create_model(name, pretrained=False)
    randomize(model.eval(), seed)
    if name in authors.NETWORKS:  # trunks without a last norm give logits whose softmax is all zeros and a one
        for key, p in model.named_parameters():
            p.data.mul_(0.05 if "head." in key else 1.0)
    return model


def build(name, folder):
    """Writes config.json, model.safetensors, model.onnx, input.png and input.npy, where not there yet."""
    folder = pathlib.Path(folder)
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    model = create(name)
    size = [3, 224, 224] if name in authors.NETWORKS else list(model.pretrained_cfg["input_size"])
    # The picture has the input's size already and its pixels are only divided by 255.
    config = {
        "architecture": name,
        "num_classes": model.num_classes,
        "pretrained_cfg": {
            "input_size": size,
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
            "num_classes": model.num_classes,
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    tensors = {k: v.contiguous() for k, v in model.state_dict().items() if v.is_floating_point()}
    safetensors.torch.save_file(tensors, folder / "model.safetensors")

    pixels = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 256, (*size[1:], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "input.png")
    x = np.ascontiguousarray((pixels.astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None])
    np.save(folder / "input.npy", x)
    if name in authors.UNROLLED:
        (folder / "complete").write_text("")
        return folder
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about shapes that are constant here
            torch.onnx.export(model, torch.from_numpy(x), folder / "model.onnx", opset_version=OPSET,
                              input_names=["input"], output_names=["logits"], **TRACER)
    except Exception:  # whatever the tracer meets in code that was not written for it
        (folder / "model.onnx").unlink(missing_ok=True)
        if name not in authors.NETWORKS:
            raise
    (folder / "complete").write_text("")
    return folder
