"""What llama-quantize --dry-run decides for the models of testdata/mixtures: "NAME TYPE" lines for each.

usage: mixtures.py WORK LIST     LIST: a line for each decision: OUTFILE MODEL.txt TYPE [llama-quantize's options ...]
A file is made of each model: header, and room for data that is never written. "imatrix" among the options stands for one with an entry.
"""
import os
import re
import struct
import subprocess
import sys

import gguf

TYPES = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16, "bf16": gguf.GGMLQuantizationType.BF16}


def read(path):
    arch, keys, tensors, layers = None, [], [], 0
    for line in open(path):
        word = line.split()
        if not word or word[0][0] == "#":
            continue
        if word[0] == "arch":
            arch = word[1]
        elif word[0] == "layers":
            layers = int(word[1])
        elif word[0] in ("u32", "f32", "i32s"):
            keys.append(word)
        else:
            dims = [int(d) for d in word[3:]]
            names = [word[1]] if word[0] == "tensor" else [f"blk.{i}.{word[1]}" for i in range(layers)]
            tensors += [(n, word[2], dims) for n in names]
    return arch, keys, tensors


def make(path, out):
    arch, keys, tensors = read(path)
    w = gguf.GGUFWriter(out, arch)
    add = {"u32": lambda k, v: w.add_uint32(k, int(v[0])), "f32": lambda k, v: w.add_float32(k, float(v[0])),
           "i32s": lambda k, v: w.add_array(k, [int(x) for x in v])}
    for kind, key, *values in keys:
        add[kind](f"{arch}.{key}", values)
    total = 0
    for name, kind, dims in tensors:
        size = (4 if kind == "f32" else 2)
        for d in dims:
            size *= d
        w.add_tensor_info(name, dims, __import__("numpy").float32, size, raw_dtype=TYPES[kind])
        total += size + 31 & ~31
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_ti_data_to_file()
    w.close()
    os.truncate(out, os.path.getsize(out) + total + 64)


def imatrix(path):
    with open(path, "wb") as f:
        f.write(struct.pack("<ii", 1, 4) + b"none" + struct.pack("<iiff", 1, 2, 1.0, 1.0) + struct.pack("<ii", 1, 1) + b"x")


LINE = re.compile(r"^\[ *\d+/ *\d+\] (\S+) +- \[.*\], type = +(\S+), size = .*?(?:-> +[0-9.]+ MiB \((\S+)\))?$")


def decide(model, out, args, work):
    args = [work + "/one.dat" if a == "imatrix" else a for a in args]
    r = subprocess.run(["llama-quantize", "--dry-run", *args[1:], model, args[0]], capture_output=True, text=True)
    text = r.stdout + r.stderr
    # warnings stand in the middle of lines
    lines = sorted(f"{m[1]} {(m[3] or m[2]).lower()}" for m in map(LINE.match, text.splitlines()) if m)
    if r.returncode:
        why = [x for x in text.splitlines() if "failed" in x or "rror" in x]
        lines = ["refused " + (why[0] if why else "")]
    with open(out, "w") as f:
        f.write("".join(x + "\n" for x in lines))


def main():
    work, made = sys.argv[1], {}
    imatrix(work + "/one.dat")
    for line in open(sys.argv[2]):
        out, model, *args = line.split()
        if model not in made:
            made[model] = f"{work}/{os.path.basename(model)[:-4]}.gguf"
            make(model, made[model])
        decide(made[model], out, args, work)


main()
