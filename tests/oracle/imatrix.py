#!/usr/bin/env python3
"""Makes importance matrices that llama-imatrix would rarely make, from one that it made.

usage: imatrix.py FROM.gguf OUTDIR        writes OUTDIR/KIND.gguf for each KIND below; the names of KINDS that the reference refuses begin
                                          with bad-"""
import os
import sys

import gguf
import numpy as np

rng = np.random.default_rng(7)


def read(path):
    return {t.name: np.array(t.data, dtype=np.float32).reshape([int(d) for d in reversed(t.shape)])
            for t in gguf.GGUFReader(path).tensors if t.name.endswith((".in_sum2", ".counts"))}


def write(path, tensors, datasets=("text.txt",), chunks=8, size=256, leave_out=()):
    w = gguf.GGUFWriter(path, "")
    w.kv_data[0].clear()
    keys = {"imatrix.datasets": lambda k: w.add_array(k, list(datasets)), "imatrix.chunk_count": lambda k: w.add_uint32(k, chunks),
            "imatrix.chunk_size": lambda k: w.add_uint32(k, size)}
    w.add_string("general.type", "imatrix")
    for key, add in keys.items():
        if key not in leave_out:
            add(key)
    for name, data in tensors.items():
        w.add_tensor(name, np.ascontiguousarray(data, dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def sums(f):
    """Each entry's sums are f(their shape); counts stay."""
    return lambda t: {n: f(v.shape) if n.endswith(".in_sum2") else v for n, v in t.items()}


def counts(f):
    return lambda t: {n: f(v) if n.endswith(".counts") else v for n, v in t.items()}


def drop(part):
    return lambda t: {n: v for n, v in t.items() if part not in n}


def some_zero(shape):
    return np.where(rng.random(shape) < 0.5, 0, rng.random(shape) + 0.01)


def partial(v):
    """Of experts every other one was never called, a plain weight stays."""
    return np.where(np.arange(v.size).reshape(v.shape) % 2 == 1, 0, v) if v.size > 1 else v


def first(f):
    """Changes the first attn_q entry."""
    def change(t):
        name = min(n for n in t if "attn_q.weight.in_sum2" in n)
        return dict(t, **f(name, t[name]))
    return change


def put(value):
    def change(name, v):
        v = v.copy()
        v.flat[3] = value
        return {name: v}
    return change


EMBEDDING = {"token_embd.weight.in_sum2": np.ones(77), "token_embd.weight.counts": np.ones(1)}
KINDS = {
    "steep": (sums(lambda s: rng.random(s) ** 8 * 1000), {}),
    "wide": (sums(lambda s: 10.0 ** rng.uniform(-18, 18, s)), {}),
    "tiny": (sums(lambda s: rng.random(s) * 1e-42), {}),
    "zeros": (sums(some_zero), {}),
    "all-zero": (sums(np.zeros), {}),
    "equal": (sums(lambda s: np.full(s, 3.0)), {}),
    "fractions": (counts(lambda v: rng.uniform(0.2, 3.4, v.shape)), {}),
    "partial": (counts(partial), {}),
    "never-called": (counts(np.zeros_like), {}),
    "missing": (lambda t: drop("blk.1.")(drop("ffn_down")(t)), {}),
    "embedding": (lambda t: dict(t, **EMBEDDING), {}), # of another width: passed over
    "no-chunks": (lambda t: t, dict(chunks=0)),
    "datasets": (lambda t: t, dict(datasets=("one.txt", "two.txt"))),
    "bad-size": (first(lambda n, v: {n: np.ones(v.size + 1)}), {}),
    "bad-nan": (first(put(np.nan)), {}),
    "bad-infinite": (first(put(np.inf)), {}),
    "bad-no-counts": (first(lambda n, v: {n.replace("in_sum2", "other"): v, n.replace("attn_q", "attn_z"): v}), {}),
    "bad-no-metadata": (lambda t: t, dict(leave_out=("imatrix.chunk_count",))),
}

if __name__ == "__main__":
    tensors = read(sys.argv[1])
    for kind, (change, how) in KINDS.items():
        write(os.path.join(sys.argv[2], kind + ".gguf"), change(tensors), **how)
