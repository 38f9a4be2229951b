#!/usr/bin/env python3
"""What a user of coremltools would run: a package opened, its weights compressed, saved. For scripts/bench.

usage: coreml_peer.py                          only what is needed is imported, and told by the exit status
       coreml_peer.py make OUT LAYERS WIDTH    a program of square matrices in f16
       coreml_peer.py TYPE SRC OUT             int8: a scale per channel; int4: per 32 columns; palette4: a table per 32 channels, by k-means"""
import logging
import sys

import numpy as np

logging.disable(logging.WARNING)
import coremltools as ct
import coremltools.optimize.coreml as cto
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types


def make(out, layers, width):
    rng = np.random.default_rng(7)
    weights = [rng.standard_normal((width, width), dtype=np.float32).astype(np.float16) / 32 for _ in range(layers)]

    @mb.program(input_specs=[mb.TensorSpec(shape=(1, width), dtype=types.fp16)], opset_version=ct.target.iOS18)
    def program(x):
        for i, w in enumerate(weights):
            x = mb.linear(x=x, weight=mb.const(val=w, name=f"w{i}"))
        return x

    ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS18, skip_model_load=True).save(out)


def compress(model, kind):
    if kind == "palette4":
        config = cto.OpPalettizerConfig(mode="kmeans", nbits=4, granularity="per_grouped_channel", group_size=32)
        return cto.palettize_weights(model, cto.OptimizationConfig(global_config=config))
    config = cto.OpLinearQuantizerConfig(mode="linear_symmetric", dtype=kind, granularity="per_channel" if kind == "int8" else "per_block", block_size=32)
    return cto.linear_quantize_weights(model, cto.OptimizationConfig(global_config=config))


def main(arguments):
    if arguments[:1] == ["make"]:
        make(arguments[1], int(arguments[2]), int(arguments[3]))
    elif arguments:
        compress(ct.models.MLModel(arguments[1], skip_model_load=True), arguments[0]).save(arguments[2])


main(sys.argv[1:])
