"""Compares the tokenizer.* keys of a GGUF file with what tokenizer_dump printed. Prints one line per difference; the exit status counts."""
import json
import sys

from gguf import GGUFReader, GGUFValueType


def reference(path):
    out = {}
    for f in GGUFReader(path).fields.values():
        if not f.name.startswith("tokenizer."):
            continue
        array = f.types[0] == GGUFValueType.ARRAY
        kind = f.types[-1]
        if kind == GGUFValueType.STRING:
            value = [bytes(f.parts[i]).decode("utf-8", "replace") for i in f.data]
        else:
            value = [f.parts[i].tolist()[0] for i in f.data]
        out[f.name] = (kind.name, array, value)
    return out


def ours(path):
    out = {}
    for line in open(path, encoding="utf-8", errors="replace", newline="\n"):
        if line.startswith("#"):
            print(line.strip())
            continue
        kv = json.loads(line, parse_int=lambda s: -0.0 if s == "-0" else int(s))
        out[kv["key"]] = (kv["type"], kv["array"], kv["value"] if kv["array"] else [kv["value"]])
    return out


def same(kind, a, b):
    if len(a) != len(b):
        return f"{len(a)} elements, heft has {len(b)}"
    for i, (x, y) in enumerate(zip(a, b)):
        if kind == "FLOAT32":
            import struct
            x, y = (struct.pack("<f", v) for v in (x, y))
        if x != y:
            return f"element {i}: {x!r}, heft has {y!r}"
    return None


def main():
    want, got = reference(sys.argv[1]), ours(sys.argv[2])
    bad = 0
    for key in sorted(set(want) | set(got)):
        if key not in got or key not in want:
            say = "heft lacks it" if key not in got else f"only heft has it: {str(got[key])[:100]}"
        elif want[key][:2] != got[key][:2]:
            say = f"type {want[key][:2]}, heft has {got[key][:2]}"
        else:
            if key == "tokenizer.chat_templates":
                want[key][2].sort()
                got[key][2].sort()
            say = same(want[key][0], want[key][2], got[key][2])
        if say:
            bad += 1
            print(f"{key}: {say}")
    print(f"{len(want)} keys, {bad} differ")
    return bad != 0


sys.exit(main())
