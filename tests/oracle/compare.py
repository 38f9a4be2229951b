#!/usr/bin/env python3
"""Compares GGUF files: every tensor's name, shape, type and bytes, every metadata key, type and value; order is free.

usage: compare.py REFERENCE OURS          prints each difference in one line and a count; exit 1 on any
       compare.py --batch LIST            LIST: "label TAB reference TAB ours" lines; prints TAP, one test per line

A tensor of NEAR may be one unit in the last place off: its values are made with exp, which the reference rounds by its processor.
A file named NAME-00001-of-0000N.gguf stands for its whole split set. The parser is this file's own (the gguf package makes one
numpy object per token); block sizes come from the gguf package. Keys of ALLOWED may differ: they are told, and do not fail."""
import mmap
import re
import struct
import sys

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

ALLOWED = {"general." + k for k in "name basename finetune version size_label organization".split()}
NEAR = re.compile(r"blk\.\d+\.ssm_a")
UNORDERED = {"tokenizer.chat_templates"}  # a Python set there: its order changes from run to run
SCALAR = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
NAMES = {0: "u8", 1: "i8", 2: "u16", 3: "i16", 4: "u32", 5: "i32", 6: "f32", 7: "bool", 8: "str", 9: "array", 10: "u64",
         11: "i64", 12: "f64"}


class Gguf:
    """kv: key -> (type, bytes); tensors: name -> (shape, type, bytes)."""

    def __init__(self, path):
        self.kv, self.tensors, self.faults = {}, {}, []
        m = re.fullmatch(r"(.*)-00001-of-(\d{5})\.gguf", path)
        paths = [f"{m[1]}-{i + 1:05d}-of-{m[2]}.gguf" for i in range(int(m[2]))] if m else [path]
        for i, p in enumerate(paths):
            self.read(p, i == 0)

    def read(self, path, first):
        with open(path, "rb") as f:
            self.b = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        self.order = ">" if self.b[4:8] == b"\0\0\0\3" else "<"
        if self.b[:4] != b"GGUF" or self.take("I", 4)[0] != 3:
            raise SystemExit(f"{path}: not a GGUF v3 file")
        n_tensors, n_kv = self.take("QQ", 8)
        self.at = 24
        for _ in range(n_kv):
            key = self.string().decode()
            kind = self.next("I")
            start = self.at
            name = self.skip_value(kind)
            if key in self.kv and first:
                self.faults.append(f"key {key} is there twice")
            if first and not key.startswith("split."):
                self.kv[key] = (name, bytes(self.b[start:self.at]))
        align = 32
        if "general.alignment" in self.kv:
            align = struct.unpack(self.order + "I", self.kv["general.alignment"][1])[0]
        infos = [self.tensor_info() for _ in range(n_tensors)]
        data = -(-self.at // align) * align
        end = data
        for name, shape, kind, offset in sorted(infos, key=lambda t: t[3]):
            block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
            count = 1
            for d in shape:
                count *= d
            n = count // block * size
            if data + offset != -(-end // align) * align:
                self.faults.append(f"tensor {name} begins at {data + offset}, the one before it ends at {end}")
            end = data + offset + n
            if name in self.tensors:
                self.faults.append(f"tensor {name} is there twice")
            if end > len(self.b):
                self.faults.append(f"tensor {name} ends behind the end of the file")
            self.tensors[name] = (shape, GGMLQuantizationType(kind).name, memoryview(self.b)[data + offset:end])
        padded = -(-end // align) * align
        if infos and len(self.b) not in (end, padded):
            self.faults.append(f"{path} has {len(self.b)} bytes, its tensors end at {end}")

    def take(self, fmt, at):
        return struct.unpack_from(self.order + fmt, self.b, at)

    def next(self, fmt):
        v = self.take(fmt, self.at)[0]
        self.at += struct.calcsize(self.order + fmt)
        return v

    def string(self):
        n = self.next("Q")
        self.at += n
        return self.b[self.at - n:self.at]

    def skip_value(self, kind):
        """Moves behind a value; returns its type's name."""
        if kind == 8:
            self.string()
        elif kind == 9:
            inner, count = self.next("I"), self.next("Q")
            if inner == 8:
                at, b, unpack = self.at, self.b, struct.Struct(self.order + "Q").unpack_from
                for _ in range(count):
                    at += 8 + unpack(b, at)[0]
                self.at = at
            else:
                self.at += count * struct.calcsize("<" + SCALAR[inner])
            return "array of " + NAMES[inner]
        else:
            self.at += struct.calcsize("<" + SCALAR[kind])
        return NAMES[kind]

    def tensor_info(self):
        name = self.string().decode()
        shape = tuple(self.next("Q") for _ in range(self.next("I")))
        return name, shape, self.next("I"), self.next("Q")


def elements(kind, raw):
    """A value as a list of Python values."""
    codes = {v: k for k, v in NAMES.items()}
    inner, at, count = codes[kind.removeprefix("array of ")], 0, 1
    if kind.startswith("array"):
        count, at = struct.unpack_from("<Q", raw, 4)[0], 12
    out = []
    for _ in range(count):
        if inner == 8:
            n = struct.unpack_from("<Q", raw, at)[0]
            out.append(raw[at + 8:at + 8 + n])
            at += 8 + n
        else:
            out.append(struct.unpack_from("<" + SCALAR[inner], raw, at)[0])
            at += struct.calcsize("<" + SCALAR[inner])
    return out


def show(kind, raw):
    v = elements(kind, raw)
    text = repr(v[:6])[:-1] + (", ...]" if len(v) > 6 else "]")
    return f"{kind} {text if kind.startswith('array') else repr(v[0])}"[:160]


def value_difference(key, a, b):
    if a[0] == b[0] and a[0].startswith("array"):
        x, y = elements(*a), elements(*b)
        for i, (p, q) in enumerate(zip(x, y)):
            if p != q:
                return f"key {key}[{i}]: reference {p!r}, ours {q!r} (lengths {len(x)}, {len(y)})"
        return f"key {key}: reference has {len(x)} elements, ours {len(y)}"
    return f"key {key}: reference {show(*a)}, ours {show(*b)}"


def near(name, a, b):
    """Floats of one sign are as far apart as their bits are as numbers."""
    if not NEAR.fullmatch(name) or a[1] != "F32" or len(a[2]) != len(b[2]):
        return False
    n = len(a[2]) // 4
    return all(abs(p - q) <= 1 for p, q in zip(struct.unpack(f"<{n}I", a[2]), struct.unpack(f"<{n}I", b[2])))


def byte_difference(name, a, b):
    x, y = bytes(a[2]), bytes(b[2])
    first = next((i for i, (p, q) in enumerate(zip(x, y)) if p != q), min(len(x), len(y)))
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[a[1]]]
    blocks = sum(x[i:i + size] != y[i:i + size] for i in range(0, len(x), size)) if block > 1 else sum(
        p != q for p, q in zip(x, y))
    return (f"tensor {name} ({a[1]} {list(a[0])}): bytes differ, first at {first} (block {first // size}, byte {first % size}), "
            f"{blocks} {'blocks' if block > 1 else 'bytes'} of {len(x) // (size if block > 1 else 1)}")


def compare(ref, ours):
    """(differences, notes): lists of lines."""
    try:
        a, b = Gguf(ref), Gguf(ours)
    except (OSError, ValueError, KeyError, IndexError, struct.error) as e:
        return [f"cannot compare: {e}"], []
    bad, notes = list(b.faults), []
    if a.order != b.order:
        bad.append("one of them is big-endian")
    for key in list(a.kv) + [k for k in b.kv if k not in a.kv]:
        x, y = a.kv.get(key), b.kv.get(key)
        if x == y or (key in UNORDERED and x and y and x[0] == y[0] and sorted(elements(*x)) == sorted(elements(*y))):
            continue
        line = (f"key {key}: only in ours: {show(*y)}" if x is None else f"key {key}: missing, reference {show(*x)}"
                if y is None else value_difference(key, x, y))
        (notes if key in ALLOWED else bad).append(line)
    for name in list(a.tensors) + [n for n in b.tensors if n not in a.tensors]:
        x, y = a.tensors.get(name), b.tensors.get(name)
        if x is None or y is None:
            bad.append(f"tensor {name}: " + ("only in ours" if x is None else "missing"))
        elif x[:2] != y[:2]:
            bad.append(f"tensor {name}: reference {x[1]} {list(x[0])}, ours {y[1]} {list(y[0])}")
        elif x[2] != y[2] and not near(name, x, y):
            bad.append(byte_difference(name, x, y))
    return bad, notes


def batch(path):
    failed = n = 0
    for line in open(path):
        label, ref, ours = line.rstrip("\n").split("\t")
        bad, notes = compare(ref, ours)
        n += 1
        failed += bool(bad)
        print(f"{'not ' if bad else ''}ok {n} - {label}")
        for d in bad[:12]:
            print("# " + d)
        if len(bad) > 12:
            print(f"# and {len(bad) - 12} differences more")
        for d in notes:
            print("# allowed: " + d)
    print(f"1..{n}")
    return failed > 0


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    if sys.argv[1] == "--batch":
        return batch(sys.argv[2])
    bad, notes = compare(*sys.argv[1:])
    for d in notes:
        print("allowed: " + d)
    for d in bad:
        print(d)
    print(f"{len(bad)} differences")
    return len(bad) > 0


if __name__ == "__main__":
    sys.exit(main())
