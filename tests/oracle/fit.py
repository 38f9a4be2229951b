#!/usr/bin/env python3
"""Checkpoints for tests/oracle/fit, and its comparison.

usage: fit.py make WORK TOKENIZERS [--list | CASE...]     WORK/CASE/src and WORK/CASE/args, where they are not there; the runs into WORK/fit.list
       fit.py compare WORK      lines "CASE TAB CONTEXT TAB TYPE TAB TOOL" on standard input: WORK/CASE/fit.gguf against WORK/CASE/fit-CONTEXT-TYPE.json"""
import json
import os
import re
import subprocess
import sys
import zlib

sys.path += filter(None, [os.environ.get("CLIENT_SITE")])
sys.dont_write_bytecode = True
MIB = 1 << 20

# ---- which runs ----

# One for each kind of cache: grouped heads, latents, windows, shared layers, states alone and beside attention, experts, chunks, two stacks, none.
WIDELY = {"llama", "mixtral", "qwen3", "deepseek2-v2", "deepseek32", "gemma2", "gemma3", "fit-gemma3n", "gemma4", "mamba", "mamba2", "jamba", "falcon-h1",
          "granitehybrid", "qwen3next", "lfm2", "nemotron_h", "kimi-linear", "fit-gptoss", "llama4", "cohere2", "t5", "bert"}


def runs(name):
    """Of each case a load in F16 and a layout of another length in 8 or 4 bits; of some every length."""
    n = zlib.crc32(name.encode())
    quantized = ("q8_0", "q4_0")
    if name not in WIDELY:
        return [(4096, "f16", "completion"), ((512, 32768)[n % 2], quantized[n // 2 % 2], "params")]
    return [(512, "f16", "completion"), (4096, "f16", "completion"), (32768, "f16", "params"), (32768, "q8_0", "completion"), (4096, "q4_0", "params")]


# ---- checkpoints ----

def said(**keys):
    """Keys that published files of the family have, and transformers' class leaves out."""
    def after(out):
        p = out + "/config.json"
        j = json.load(open(p))
        json.dump({**j, **keys}, open(p, "w"), indent=1)
    return after


# Families that the runtime loads only with shapes or keys that the plain case has not: case, configuration, what is done to the folder then.
UNTIED = dict(tie_word_embeddings=False)
LOADS = {"stablelm": (UNTIED, None), "olmo3": (UNTIED, None), "olmoe": (dict(UNTIED, num_key_value_heads=4), None), "qwen2moe": (UNTIED, None), "gptoss": (UNTIED, None),
         "phi2": (dict(intermediate_size=128), None), "phimoe": (dict(lm_head_bias=True, attention_bias=True), None),
         "arcee": (dict(attention_bias=False, mlp_bias=False), None), "glm4lite": ({}, said(first_k_dense_replace=1)),
         "minimax-m2": ({}, said(scoring_func="sigmoid")), "dots1": ({}, said(scoring_func="sigmoid"))}


def loading(cases):
    """The cases that stand for those, by the name of each."""
    found = {}
    for name, (config, then) in LOADS.items():
        c = cases[name]
        steps = [f for f in (c["after"], then) if f]
        found[name] = dict(c, config={**c["config"], **config}, after=lambda out, steps=steps: [f(out) for f in steps])
    import cases_gemma
    import cases_qwen
    found["gemma3n"] = cases_gemma.made("Gemma3nTextConfig", "Gemma3nForCausalLM", dict(cases_gemma.TEXT3N, hidden_size_per_layer_input=256, laurel_rank=64), files="model json")
    found["qwen25vl-minimal"] = cases_qwen.made("Qwen2_5_VLConfig", "Qwen2_5_VLForConditionalGeneration", types="bare",
                                                text_config=dict(cases_qwen.TEXT, rope_parameters=cases_qwen.MROPE), vision_config=cases_qwen.EYES)
    return found


def names_of(args, make_checkpoint, found):
    if args:
        return list(make_checkpoint.CASES) if args == ["--list"] else args
    return ["fit-" + n if n in found else n for n in make_checkpoint.short()]


def make_one(make_checkpoint, name, d, tokenizers):
    make_checkpoint.build(name, d + "/src", tokenizers)
    case = make_checkpoint.CASES[name]
    open(d + "/args", "w").write("".join(a + "\n" for a in case["args"] + (["--pre", case["pre"]] if case["pre"] else [])))


def make(work, tokenizers, args):
    import make_checkpoint
    found = loading(make_checkpoint.CASES)
    names = names_of(args, make_checkpoint, found)
    make_checkpoint.CASES.update({"fit-" + n: c for n, c in found.items()})
    open(work + "/fit.list", "w").write("".join(f"{n}\t{c}\t{kv}\t{tool}\n" for n in names for c, kv, tool in runs(n)))
    missing = [n for n in names if not os.path.exists(f"{work}/{n}/args") or not os.path.exists(f"{work}/{n}/src")]
    if missing:
        make_checkpoint.preload()
    failed = 0
    for name in missing:
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            try:
                make_one(make_checkpoint, name, os.path.join(work, name), tokenizers)
                os._exit(0)
            except BaseException as e:
                print(f"{name}: {e!r}", flush=True)
                os._exit(1)
        failed += os.waitpid(pid, 0)[1] != 0
    return failed != 0


# ---- what the runtime says ----

COMMAND = {"completion": ["llama-completion", "-fit", "off", "-n", "0", "-p", "a", "--no-warmup", "-no-cnv", "-t", "1"], "params": ["llama-fit-params", "-fitp", "on"]}


def load(path, context, kv, tool):
    """Its log, and whether it ended as it should; asked again where the log is cut off, which is written by a thread."""
    for _ in range(12):
        r = subprocess.run(COMMAND[tool] + ["-m", path, "-v", "-c", context, "-fa", "on", "-ctk", kv, "-ctv", kv], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        log = r.stdout.decode(errors="replace")
        if "failed to load model" in log or "compute buffer size" in log:
            break
    return log, r.returncode


def sizes(log, pattern):
    return [float(x) for x in re.findall(pattern + r" += +([\d.]+) MiB", log)]


def theirs(log):
    """Weights; of the caches bytes of each kind, and the layers that keep so many cells."""
    t = dict(weights=sizes(log, "file size")[0], keys=0.0, values=0.0, state=0.0, layers={}, model=sum(sizes(log, "model buffer size")))
    for cells, layers, k, v in re.findall(r"llama_kv_cache[a-z_0-9]*: size = .*?\( *(\d+) cells, +(\d+) layers.*?K \(\w+\): +([\d.]+) MiB, V \(\w+\): +([\d.]+) MiB", log):
        t["keys"] += float(k)
        t["values"] += float(v)
        if int(layers): # a cache of windows has one beside it for other layers, though there may be none
            t["layers"][int(cells)] = t["layers"].get(int(cells), 0) + int(layers)
    t["state"] = sum(sizes(log, "llama_memory_recurrent: size"))
    t["unused"] = sum(int(n) for n in re.findall(r"unused tensor \S+ \(size = (\d+) bytes\)", log)) # of layers that predict further tokens
    t["buffers"] = len(sizes(log, "model buffer size"))
    t["compute"] = sum(sizes(log, "compute buffer size"))
    return t


COUNTS_EMPTY = {"deci"}  # a layer without heads has keys of no bytes there, and is one of the cache's all the same


def ours(j):
    c = j["cache"]
    layers = {}
    for layer in c["layers"]:
        kept = bool(layer["k_bytes"]) + bool(layer["index_bytes"]) # an indexer's keys are a cache of their own
        if kept:
            layers[layer["cells"]] = layers.get(layer["cells"], 0) + kept
    if j["family"] in COUNTS_EMPTY and layers:
        layers[max(layers)] += sum(layer["kind"] == "none" for layer in c["layers"])
    r = next(r for r in j["recipes"] if r["name"] == "f16")
    return dict(weights=r["weight_bytes"], unused=r["unloaded_bytes"], keys=c["k_bytes"] + c["index_bytes"], values=c["v_bytes"],
                state=c["state_bytes"], layers=layers)


# ---- comparison ----

def near(a, b, numbers=1):
    """Within 2 %, and within what two digits of a MiB say in so many numbers."""
    return abs(a / MIB - b) <= max(0.02 * b, 0.006 + 0.005 * numbers)


def differences(mine, real, compute, loaded):
    for what in ("weights", "keys", "values", "state"):
        if not near(mine[what], real[what]):
            yield f"{what}: heft {mine[what] / MIB:.2f} MiB, llama.cpp {real[what]:.2f} MiB"
    if loaded and abs(mine["unused"] - real["unused"]) > 64:  # of DeepSeek 3.2 the bias of one norm is loaded
        yield f"weights that are not loaded: heft {mine['unused']} bytes, llama.cpp {real['unused']}"
    if loaded and not near(mine["weights"] - mine["unused"], real["model"], real["buffers"]):
        yield f"weights that are loaded: heft {(mine['weights'] - mine['unused']) / MIB:.2f} MiB, llama.cpp {real['model']:.2f} MiB"
    if mine["layers"] != real["layers"]:
        yield f"layers by their cells: heft {mine['layers']}, llama.cpp {real['layers']}"
    if real["compute"] and not compute["least"] <= real["compute"] * MIB * 1.001 <= compute["most"] * 1.002:
        yield f"computing: heft {compute['least'] / MIB:.2f} to {compute['most'] / MIB:.2f} MiB, llama.cpp {real['compute']:.2f} MiB"


def compare_one(work, name, context, kv, tool):
    """What stands behind "ok N - ", whether it is ok, and what differs; None: there is nothing to compare."""
    j = json.load(open(f"{work}/{name}/fit-{context}-{kv}.json"))
    title = f"{name}/{context}/{kv}/{tool}"
    if kv != "f16" and not j["cache"]["k_bytes"]:
        return None # neither keys nor values that could have this type
    log, status = load(f"{work}/{name}/fit.gguf", context, kv, tool)
    error = re.search(r" E llama_model_load: (.*)", log)
    if "failed to load model" in log:
        return f"{title} # SKIP the runtime: {error.group(1) if error else 'failed to load'}", True, []
    real = theirs(log) if sizes(log, "file size") else None
    if not real and status == 1:
        return f"{title} # SKIP the runtime does not load it, and its log is cut off before the reason", True, []
    if not real or (status >= 0 and not real["compute"]):
        return f"{title}: the log ends early", False, log.splitlines()[-3:]
    wrong = list(differences(ours(j), real, j["compute"], tool == "completion"))
    crash = "" if real["compute"] else ", and the runtime ends when it lays out its computation"
    return f"{title}: {real['keys'] + real['values'] + real['state']:.2f} MiB of cache{crash}", not wrong, wrong


def compare(work):
    n = 0
    for line in sys.stdin:
        result = compare_one(work, *line.split())
        if not result:
            continue
        n += 1
        title, good, wrong = result
        print(f"{'ok' if good else 'not ok'} {n} - {title}", *wrong, sep="\n# ", flush=True)


def main():
    if sys.argv[1] == "make":
        return make(sys.argv[2], sys.argv[3], sys.argv[4:])
    return compare(sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
