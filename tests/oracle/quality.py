"""What tests/oracle/quality needs of gguf-py: its models, and the errors of the files that were made of them.

usage: quality.py models DIR RETSIM STORIES     writes DIR/retsim.gguf and DIR/stories.gguf (llama, 32-bit floats) and retsim.imatrix.gguf
       quality.py measure LIST                  LIST: "TYPE MODEL MATRIX BASE FILES" lines, FILES-reference.gguf, FILES-high.json ...
"""
import json
import math
import os
import struct
import sys

import gguf
import numpy as np

KNOWN = gguf.quants._type_traits  # what gguf-py can turn into numbers
HEAD = {"block_count": 1, "context_length": 512, "embedding_length": 64, "feed_forward_length": 172, "attention.head_count": 8,
        "attention.head_count_kv": 4, "rope.dimension_count": 8, "vocab_size": 512}


def write(path, head, tensors, tokens=None):
    w = gguf.GGUFWriter(path, "llama")
    for key, value in head.items():
        w.add_uint32("llama." + key, value)
    w.add_layer_norm_rms_eps(1e-5)
    if tokens:
        w.add_tokenizer_model("llama")
        w.add_token_list([t for t, _ in tokens])
        w.add_token_scores([s for _, s in tokens])
        w.add_token_types([2 if i == 0 else 3 if i < 3 else 6 if i < 259 else 1 for i in range(len(tokens))])
        w.add_bos_token_id(1)
        w.add_eos_token_id(2)
    for name, data in tensors:
        w.add_tensor(name, np.ascontiguousarray(data, dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def safetensors(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        head = json.loads(f.read(size))
        data = f.read()
    for name, t in head.items():
        if name != "__metadata__" and t["dtype"] == "F32":
            yield name, np.frombuffer(data[slice(*t["data_offsets"])], dtype="<f4").reshape(t["shape"])


def retsim(path, out):
    """Not a model that llama.cpp runs: its matrices are called like those of one, which is all that quantizing asks for. Its importance
    is made up: decades apart, as real ones are."""
    names = ("attn_q", "attn_output", "attn_k", "ffn_up", "ffn_gate", "ffn_down")
    all_ = [(n, t) for n, t in safetensors(path) if t.ndim == 2 and t.shape[1] % 256 == 0]
    tensors = [(f"blk.{i // len(names)}.{names[i % len(names)]}.weight", t) for i, (_, t) in enumerate(all_)]
    write(out + "retsim.gguf", dict(HEAD, embedding_length=256), [("token_embd.weight", np.zeros((512, 256)))] + tensors)
    w = gguf.GGUFWriter(out + "retsim.imatrix.gguf", "")
    w.add_type("imatrix")
    w.add_array("imatrix.datasets", ["made up"])
    w.add_uint32("imatrix.chunk_count", 1)
    w.add_uint32("imatrix.chunk_size", 256)
    random = np.random.default_rng(3)
    for name, t in tensors:
        w.add_tensor(name + ".in_sum2", np.exp(random.normal(0, 1.5, (1, t.shape[1]))).astype(np.float32))
        w.add_tensor(name + ".counts", np.ones((1, 1), dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def tokens_of(path, n):
    with open(path, "rb") as f:
        f.read(4)
        for i in range(n):
            score, size = struct.unpack("<fi", f.read(8))
            text = f.read(size).decode("utf-8", "replace")
            yield (("<unk>", "<s>", "</s>")[i] if i < 3 else text.replace(" ", "\u2581")), score


def stories(path, out):
    with open(path + "/stories260K.bin", "rb") as f:
        dim, hidden, layers, heads, kv_heads, vocab, context = struct.unpack("<7i", f.read(28))
        rest = np.fromfile(f, dtype="<f4")
    kv = dim * kv_heads // heads
    at = 0

    def take(*shape):
        nonlocal at
        at += math.prod(shape)
        return rest[at - math.prod(shape):at].reshape(shape)

    tensors = [("token_embd.weight", take(vocab, dim))]
    for name, shape in (("attn_norm", (dim,)), ("attn_q", (dim, dim)), ("attn_k", (kv, dim)), ("attn_v", (kv, dim)), ("attn_output", (dim, dim)),
                        ("ffn_norm", (dim,)), ("ffn_gate", (hidden, dim)), ("ffn_down", (dim, hidden)), ("ffn_up", (hidden, dim))):
        tensors += [(f"blk.{i}.{name}.weight", t) for i, t in enumerate(take(layers, *shape))]
    tensors.append(("output_norm.weight", take(dim)))
    head = {"block_count": layers, "context_length": context, "embedding_length": dim, "feed_forward_length": hidden,
            "attention.head_count": heads, "attention.head_count_kv": kv_heads, "rope.dimension_count": dim // heads, "vocab_size": vocab}
    write(out + "stories.gguf", head, tensors, list(tokens_of(path + "/tok512.bin", vocab)))


# ---- measuring -------------------------------------------------------------------------------------------------------------------------


def floats(t):
    return gguf.dequantize(t.data, t.tensor_type).astype(np.float64)


def read(path):
    return {t.name: t for t in gguf.GGUFReader(path).tensors}


def importance(path):
    if path == "-":
        return {}
    t = read(path)
    return {n[:-8]: t[n].data.astype(np.float64).ravel() / t[n[:-8] + ".counts"].data.ravel()[0] for n in t if n.endswith(".in_sum2")}


def reported(path):
    """The squared errors that heft states: name -> type, error, parts of the whole, weighted error or None."""
    with open(path) as f:
        return {t["name"]: (t["type"], t["error"]["relative"] ** 2, (t["error"]["weighted_relative"] or 0) ** 2 if t["weighted"] else None)
                for t in json.load(f)["outputs"][0]["tensors"]}


def check(path, figures, base, matrix):
    """Tensors for which gguf-py's numbers give another error than heft states."""
    wrong, seen = [], read(path)
    for name, (_, plain, weighted) in figures.items():
        if seen[name].tensor_type not in KNOWN or not plain:
            continue
        x = floats(base[name])
        rest = (x - floats(seen[name])) ** 2
        pairs = [(plain, rest.sum() / (x * x).sum())]
        if weighted is not None:
            pairs.append((weighted, (rest * matrix[name]).sum() / (x * x * matrix[name]).sum()))
        if any(abs(a - b) > 1e-5 * b for a, b in pairs):
            wrong.append(f"{name}: {pairs}")
    return wrong


def same_bytes(a, b):
    """Two files' tensors."""
    a, b = read(a), read(b)
    return a.keys() == b.keys() and all(a[n].tensor_type == b[n].tensor_type and bytes(a[n].data) == bytes(b[n].data) for n in a)


def ratio(a, b):
    return b / a if a else 1.0


def bits(kind):
    n, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind.upper()]]
    return size * 8 / n


def measure(line, n):
    kind, model, matrix, base, files = line.split()
    label = f"{model} {kind} {'plain' if matrix == '-' else 'weighted'}"
    if not all(os.path.exists(files + end) for end in ("-reference.gguf", "-high.gguf", "-reference.json", "-high.json")):
        print(f"not ok {n} - {label}: files were made")
        return
    first, then = reported(files + "-reference.json"), reported(files + "-high.json")
    same = os.path.getsize(files + "-reference.gguf") == os.path.getsize(files + "-high.gguf") and list(first) == list(then)
    rows = [(name, first[name][1 + (first[name][2] is not None)], then[name][1 + (first[name][2] is not None)])
            for name in first if first[name][0] == kind and (matrix == "-" or first[name][2] is not None)]
    worse = [name for name, a, b in rows if b > a]
    ratios = [ratio(a, b) for _, a, b in rows]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else 1.0
    wrong = check(files + "-high.gguf", then, read(base), importance(matrix))
    good = same and rows and not worse and not wrong
    print(f"{'' if good else 'not '}ok {n} - {label}: same size, none of {len(rows)} tensors worse, {mean:.4f} of the squared error")
    for what in worse + wrong:
        print(f"# {what}")
    print(f"# ratio {kind} {model} {'plain' if matrix == '-' else 'weighted'} {mean:.6f} {bits(kind):.3f}")
    if os.path.exists(files + "-llama.gguf"):
        print(f"{'' if same_bytes(files + '-llama.gguf', files + '-reference.gguf') else 'not '}ok {n} - {label}: llama-quantize's bytes")


if sys.argv[1] == "models":
    retsim(sys.argv[3] + "/model.safetensors", sys.argv[2] + "/")
    stories(sys.argv[4], sys.argv[2] + "/")
else:
    with open(sys.argv[2]) as f:
        for n, line in enumerate(f):
            measure(line, n + 1)
