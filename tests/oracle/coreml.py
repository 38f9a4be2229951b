"""Packages of Core ML for tests/oracle/coreml: makes programs, and compares what heft writes of them with what coremltools does.

usage: coreml.py make DIR        coreml.py compare DIR HEFT [PATTERN...]
"""
import fnmatch
import functools
import logging
import os
import re
import shutil
import subprocess
import sys

import numpy as np

logging.disable(logging.WARNING)
import coremltools as ct
import coremltools.optimize as cto
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.frontend.milproto.load import load as load_program
from coremltools.converters.mil.mil import types

TARGETS = {name: getattr(ct.target, name) for name in ("iOS15", "iOS16", "iOS17", "iOS18")}
STAYS = re.compile(r"\.iOS15|^shared|^ragged")  # no operations for it, users of different axes, groups that do not divide
rng = np.random.default_rng(7)


def heavy(*shape):  # tails as weights have them
    return (rng.standard_t(4, shape) * 0.05).astype(np.float32)


def odd_rows(rows, cols):  # what breaks scales: zeros, one sign, one number, less than half precision can divide, outliers
    w = heavy(rows, cols)
    w[0] = 0
    w[1] = np.abs(w[1])
    w[2] = -np.abs(w[2])
    w[3] = 0.25
    w[4] *= 1e-5
    w[5, 7] = 900
    w[6] = np.round(w[6] * 8) / 8
    w[7, ::2] = 0
    return w


WEIGHTS = {"linear": [heavy(192, 128), heavy(256, 192), heavy(192)], "odd": [odd_rows(128, 96)], "emb": [heavy(512, 128)],
           "conv": [heavy(64, 32, 3, 3), heavy(64, 48, 3, 3)], "matmul": [heavy(128, 160), heavy(96, 160), heavy(64, 96)],
           "loop": [heavy(128, 128)], "shared": [heavy(128, 128)], "ragged": [heavy(77, 51)]}


def program(name, half):
    kind = np.float16 if half else np.float32
    w = [x.astype(kind) for x in WEIGHTS[name]]
    shape = {"conv": (1, 32, 8, 8), "matmul": (4, 128)}.get(name, (4, w[0].shape[1]))

    def linear(x):
        x = mb.relu(x=mb.linear(x=x, weight=mb.const(val=w[0], name="a"), bias=mb.const(val=w[2], name="bias")))
        return mb.linear(x=x, weight=mb.const(val=w[1], name="b"))

    def odd(x):
        return mb.linear(x=x, weight=mb.const(val=w[0], name="a"))

    def emb(x):
        table = mb.const(val=w[0], name="table")
        rows = mb.cast(x=mb.reduce_sum(x=x, axes=[1]), dtype="int32")
        return mb.add(x=mb.gather(x=table, indices=rows, axis=0), y=x)

    def conv(x):
        x = mb.conv(x=x, weight=mb.const(val=w[0], name="a"), pad_type="same")
        return mb.conv_transpose(x=x, weight=mb.const(val=w[1], name="b"))

    def matmul(x):
        x = mb.matmul(x=x, y=mb.const(val=w[0], name="a"))
        x = mb.matmul(x=x, y=mb.const(val=w[1], name="b"), transpose_y=True)
        return mb.matmul(x=mb.const(val=w[2], name="c"), y=mb.transpose(x=x, perm=[1, 0]))

    def loop(x):
        def body(i, y):
            return mb.add(x=i, y=np.int32(1)), mb.linear(x=y, weight=mb.const(val=w[0], name="inside"))
        return mb.while_loop(_cond=lambda i, y: mb.less(x=i, y=np.int32(3)), _body=body, loop_vars=(np.int32(0), x))[1]

    def shared(x):
        c = mb.const(val=w[0], name="a")
        return mb.matmul(x=mb.linear(x=x, weight=c), y=c)

    build = {"linear": linear, "odd": odd, "emb": emb, "conv": conv, "matmul": matmul, "loop": loop, "shared": shared, "ragged": odd}[name]
    return shape, kind, build


def make(directory):
    for name in WEIGHTS:
        for target, version in TARGETS.items():
            for half in (True, False):
                if target == "iOS15" and half:
                    continue
                shape, kind, build = program(name, half)
                spec = mb.TensorSpec(shape=shape, dtype=types.fp16 if half else types.fp32)
                prog = mb.program(input_specs=[spec], opset_version=version)(build)
                m = ct.convert(prog, convert_to="mlprogram", minimum_deployment_target=version, skip_model_load=True,
                               compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32)
                m.save(os.path.join(directory, f"{name}.{target}-{'f16' if half else 'f32'}.mlpackage"))


# ---- comparing ----

def load(path):
    return ct.models.MLModel(path, skip_model_load=True)


def operations(block):
    for op in block.operations:
        yield op
        for inner in op.blocks:
            yield from operations(inner)


def plain(name):
    for ending in ("_quantized", "_palettized"):
        name = name.removesuffix(ending)
    return name


@functools.cache
def constants_of(path):
    return constants(load(path))


def constants(model):
    """Of each constant its operation's type, parameters and numbers."""
    spec = model.get_spec()
    prog = load_program(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    found = {}
    for f in prog.functions.values():
        for op in operations(f):
            if op.op_type.startswith("constexpr_"):
                value = op.outputs[0].val if op.outputs[0].val is not None else op.materialized_val_inference()
                inputs = {k: v.val for k, v in op.inputs.items() if v is not None and not isinstance(v, (list, tuple))}
                found[plain(op.outputs[0].name)] = (op.op_type, inputs, np.asarray(value))
            elif op.op_type == "const" and isinstance(op.outputs[0].val, np.ndarray) and op.outputs[0].val.dtype in (np.float16, np.float32):
                found[plain(op.outputs[0].name)] = ("const", {}, op.outputs[0].val)
    return found


def compressed(path, reference, type_, group):
    model = load(reference)
    if type_.startswith("palette"):
        bits = int(type_[7:])
        how = dict(granularity="per_tensor") if group == "tensor" else dict(granularity="per_grouped_channel", group_size=int(group))
        half = reference.endswith("f16.mlpackage")
        config = cto.coreml.OpPalettizerConfig(mode="kmeans" if half else "uniform", nbits=bits, **how)
        out = cto.coreml.palettize_weights(model, cto.coreml.OptimizationConfig(global_config=config))
    else:
        how = dict(granularity="per_" + group) if group in ("tensor", "channel") else dict(granularity="per_block", block_size=int(group))
        mode = "linear" if type_.startswith("u") else "linear_symmetric"
        config = cto.coreml.OpLinearQuantizerConfig(mode=mode, dtype=type_, **how)
        out = cto.coreml.linear_quantize_weights(model, cto.coreml.OptimizationConfig(global_config=config))
    out.save(path)
    return constants(load(path))


def error(original, value):
    return float(np.sum((original.astype(np.float64) - value.astype(np.float64)) ** 2))


def spread(scale, shape, axis):
    """A scale for each number: parts along dimensions, or along one axis."""
    if scale.ndim == len(shape):
        for d, n in enumerate(shape):
            scale = np.repeat(scale, n // scale.shape[d], axis=d)
        return scale
    return np.broadcast_to(scale.reshape([-1 if d == axis else 1 for d in range(len(shape))]), shape)


def differ(name, ours, theirs, original):
    """What is not as it should be, of one constant; None: nothing."""
    if theirs[0] == "const" or ours[0] == "const":
        return None if ours[0] == theirs[0] else f"{name}: {ours[0]}, coremltools has {theirs[0]}"
    if ours[0] != theirs[0]:
        return f"{name}: {ours[0]}, coremltools has {theirs[0]}"
    if "lut" in theirs[1]:
        a, b = error(original, ours[2]), error(original, theirs[2])
        return None if a <= b * (1 + 1e-6) else f"{name}: squared error {a:g}, of coremltools {b:g}"
    data = "data" if "data" in theirs[1] else "quantized_data"
    scale = np.asarray(theirs[1]["scale"])
    axis = theirs[1].get("axis")
    usable = spread(scale, theirs[2].shape, None if axis is None else int(axis)) != 0  # a scale of 0 loses its numbers: heft writes another
    if not np.array_equal(np.asarray(ours[1][data])[usable], np.asarray(theirs[1][data])[usable]):
        return f"{name}: {np.sum(np.asarray(ours[1][data])[usable] != np.asarray(theirs[1][data])[usable])} codes differ"
    if not np.array_equal(ours[2][usable], theirs[2][usable]):
        return f"{name}: numbers differ"
    a, b = error(original, ours[2]), error(original, np.nan_to_num(theirs[2]))
    return None if a <= b else f"{name}: squared error {a:g}, of coremltools {b:g}"


def run(heft, *args):
    p = subprocess.run([heft, "convert", *args, "-q", "-f"], capture_output=True, text=True)
    return p.stderr.strip() if p.returncode else None


def check(directory, heft, source, type_, group):
    """None: as it should be; a text that begins with # where neither has anything to do; else what is wrong."""
    ours, theirs, back = (os.path.join(directory, "work", n + ".mlpackage") for n in ("ours", "theirs", "back"))
    for p in (ours, theirs, back):
        shutil.rmtree(p, ignore_errors=True)
    failed = run(heft, source, "--to", "coreml", "-t", type_, "--group-size", group, "-o", ours)
    if failed:
        return "# SKIP " + failed.rsplit(": ", 1)[-1] if "no constant can become" in failed and STAYS.search(os.path.basename(source)) else failed
    a, o = constants(load(ours)), constants_of(source)
    size = lambda p: sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(p) for f in fs)
    if size(ours) > size(source):
        return "larger than the source"
    failed = run(heft, ours, "--to", "coreml", "-t", "f16" if "f16" in source else "f32", "-o", back)
    if failed:
        return failed
    plain_model = cto.coreml.decompress_weights(load(ours))
    plain_model.save(theirs)
    b, t = constants(load(back)), constants(load(theirs))
    for k, v in o.items():
        if k not in b or b[k][0] != "const" or not np.array_equal(b[k][2], a[k][2]):
            return f"{k}: heft decompresses other numbers"
        same = [x for x in t.values() if x[0] == "const" and x[2].shape == v[2].shape and np.array_equal(x[2], b[k][2])]
        if not same:
            return f"{k}: coremltools decompresses other numbers"
    shutil.rmtree(theirs, ignore_errors=True)
    t = compressed(theirs, source, type_, group)
    lost = set(o) - set(a) | set(o) - set(t)
    if lost or not any(v[0].startswith("constexpr_") for v in a.values()):
        return "not the same constants: " + ", ".join(sorted(lost))
    wrong = [differ(k, a[k], t[k], v[2]) for k, v in o.items()]
    return next((w for w in wrong if w), None)


def cases(directory):
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".mlpackage"):
            continue
        model, target = name.removesuffix(".mlpackage").rsplit(".", 1)
        new = target.startswith("iOS18")
        for type_ in ("int8", "uint8"):
            for group in ("channel", "tensor") + (("32",) if new else ()):
                yield name, model, target, type_, group
        for bits in (1, 2, 4, 6, 8):
            yield name, model, target, f"palette{bits}", "tensor"
        if new:
            for type_ in ("int4", "uint4"):
                for group in ("channel", "tensor", "32"):
                    yield name, model, target, type_, group
            yield name, model, target, "palette3", "tensor"
            for bits in (2, 4):
                yield name, model, target, f"palette{bits}", "16"


def compare(directory, heft, patterns):
    n = failed = 0
    os.makedirs(os.path.join(directory, "work"), exist_ok=True)
    for name, model, target, type_, group in cases(directory):
        label = f"{model}.{target}.{type_}.{group}"
        if patterns and not any(fnmatch.fnmatch(label, p) for p in patterns):
            continue
        try:
            wrong = check(directory, heft, os.path.join(directory, name), type_, group)
        except Exception as e:
            wrong = f"{type(e).__name__}: {e}"
        n += 1
        skipped = wrong is not None and wrong.startswith("# SKIP")
        print(f"{'ok' if wrong is None or skipped else 'not ok'} {n} - {label}{' ' + wrong if skipped else ''}", flush=True)
        if wrong and not skipped:
            failed = 1
            print("# " + wrong.splitlines()[-1][:300], flush=True)
    print(f"1..{n}")
    return failed


if __name__ == "__main__":
    if sys.argv[1] == "make":
        os.makedirs(sys.argv[2])
        make(sys.argv[2])
    else:
        sys.exit(compare(sys.argv[2], sys.argv[3], sys.argv[4:]))
