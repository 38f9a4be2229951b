"""Files of other layouts, written by the libraries that own them, and their values as those libraries read them.
usage: layouts.py arrays DIR | layouts.py llama2c GGUF TOKENIZER DIR | layouts.py same A.safetensors B.safetensors | layouts.py gguf A B"""
import struct
import sys

import numpy as np

ORDERS = {"c": np.ascontiguousarray, "f": np.asfortranarray}


def arrays(out):
    from safetensors.numpy import save_file
    rng = np.random.default_rng(1)
    t = {}
    for code in "b1 i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8".split():
        a = rng.integers(0, 120, (7, 5, 3)).astype(code) if code[0] != "f" else (rng.standard_normal((7, 5, 3)) * 50).astype(code)
        for order, put in ORDERS.items():
            t[f"{order}.{code}"] = put(a)
            t[f"{order}.turned.{code}"] = put(a.astype(">" + code))
    t["deep/er/name"] = rng.standard_normal((300, 200)).astype("f4").T
    t["empty"] = np.zeros((0, 4), "f4")
    t["line"] = np.arange(9, dtype="f4")
    np.savez(f"{out}/stored.npz", **t)
    np.savez_compressed(f"{out}/deflated.npz", **t)
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(f"{out}/v{version[0]}.npy", "wb") as f:
            np.lib.format.write_array(f, t["f.turned.f4"], version)
    native = {k: np.ascontiguousarray(v.astype(v.dtype.newbyteorder("="))) for k, v in t.items()}
    save_file(native, f"{out}/want.safetensors")
    for v in (1, 2, 3):
        save_file({f"v{v}": native["f.turned.f4"]}, f"{out}/want-v{v}.safetensors")


def tensors_of(path):
    from gguf import GGUFReader
    r = GGUFReader(path)
    return r, {t.name: np.array(t.data) for t in r.tensors}


def key(reader, name):
    return reader.fields[name].contents()


def llama2c(path, tokenizer, out):
    """Versions 0 to 2 of one model, as export.py writes them; version 2 also as the floats that it stands for."""
    from sentencepiece import SentencePieceProcessor
    r, t = tensors_of(path)
    layers = key(r, "llama.block_count")
    sp = SentencePieceProcessor(model_file=tokenizer)
    n = sp.vocab_size()
    numbers = [key(r, "llama." + k) for k in ("embedding_length", "feed_forward_length", "block_count", "attention.head_count",
                                              "attention.head_count_kv", "vocab_size", "context_length")]
    numbers[5] = n
    each = lambda name: [f"blk.{i}.{name}.weight" for i in range(layers)]
    norms = each("attn_norm") + each("ffn_norm") + ["output_norm.weight"]
    coded = ["token_embd.weight"] + sum((each(k) for k in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_down", "ffn_up")), [])
    shared = "output.weight" not in t
    last = [] if shared else ["output.weight"]
    raw = lambda names: b"".join(t[k].astype("<f4").tobytes() for k in names)
    half = numbers[0] // numbers[3] // 2
    with open(f"{out}/v0.bin", "wb") as f:
        f.write(struct.pack("<7i", *(numbers[:5] + [n if shared else -n] + numbers[6:])))
        f.write(raw(["token_embd.weight"] + each("attn_norm") + each("attn_q") + each("attn_k") + each("attn_v") + each("attn_output") +
                    each("ffn_norm") + each("ffn_gate") + each("ffn_down") + each("ffn_up") + ["output_norm.weight"]))
        f.write(b"\0" * (8 * numbers[6] * half))
        f.write(raw(last))
    with open(f"{out}/v1.bin", "wb") as f:
        f.write(struct.pack("<Ii7iB", 0x616b3432, 1, *numbers, shared).ljust(256, b"\0"))
        f.write(raw(norms + coded + last))
    group, codes, scales, values = 32, [], [], {k: t[k].astype("<f4") for k in norms}
    for k in coded + last:
        w = t[k].astype(np.float32).reshape(-1, group)
        s = (np.abs(w).max(1) / np.float32(127)).astype(np.float32)
        q = np.round(w / s[:, None]).astype(np.int8)
        codes.append(q.tobytes())
        scales.append(s.tobytes())
        values[k] = (q.astype(np.float32) * s[:, None]).reshape(t[k].shape)
    with open(f"{out}/v2.bin", "wb") as f:
        f.write(struct.pack("<Ii7iBi", 0x616b3432, 2, *numbers, shared, group).ljust(256, b"\0"))
        f.write(raw(norms) + b"".join(codes) + b"".join(scales))
    np.savez(f"{out}/v2.npz", **values)
    with open(f"{out}/tokenizer.bin", "wb") as f:
        rows = []
        for i in range(n):
            p = sp.id_to_piece(i)
            p = "\n<s>\n" if i == sp.bos_id() else "\n</s>\n" if i == sp.eos_id() else chr(int(p[3:5], 16)) if sp.is_byte(i) else p
            rows.append((sp.get_score(i), p.replace("\u2581", " ").encode()))
        f.write(struct.pack("<I", max(len(b) for _, b in rows)))
        for score, b in rows:
            f.write(struct.pack("<fI", score, len(b)) + b)


def same(a, b):
    from safetensors.numpy import load_file
    a, b = load_file(a), load_file(b)
    bad = sorted(set(a) ^ set(b))
    bad += [k for k in a if k in b and (a[k].dtype != b[k].dtype or a[k].shape != b[k].shape or a[k].tobytes() != b[k].tobytes())]
    print(*bad)
    return not bad and len(a) > 0


def gguf(a, b):
    """Tensors and vocabulary of two files; b may be an .npz of values."""
    ra, ta = tensors_of(a)
    if b.endswith(".npz"):
        tb = dict(np.load(b))
    else:
        rb, tb = tensors_of(b)
        for k in ("model", "tokens", "scores", "token_type"):
            if key(ra, "tokenizer.ggml." + k) != key(rb, "tokenizer.ggml." + k):
                print("tokenizer.ggml." + k)
                return False
    bad = sorted(set(ta) ^ set(tb)) + [k for k in ta if k in tb and not np.array_equal(ta[k], tb[k])]
    print(*bad)
    return not bad and len(ta) > 0


if __name__ == "__main__":
    run = {"arrays": arrays, "llama2c": llama2c, "same": same, "gguf": gguf}[sys.argv[1]]
    sys.exit(run(*sys.argv[2:]) is False)
