# Makes checkpoints that consist of names, cards and small JSON files, notes the general.* keys that the reference's own code gives them
# (gguf.Metadata.load as its prepare_metadata calls it), and compares heft's with them.
#   metadata.py make DIR CARDS    writes DIR/list for general_dump and DIR/expected
#   metadata.py compare DIR       DIR/ours against DIR/expected: TAP
#   metadata.py record CARDS      writes CARDS/expected.txt, what the reference reads from each card; tests/unit/metadata.c is held to it
import json
import random
import sys
import tempfile
from math import prod
from pathlib import Path

NAMES = """
Llama-3.1-8B-Instruct Meta-Llama-3-70B Mixtral-8x7B-Instruct-v0.1 mixtral-8x22b Qwen2.5-0.5B Qwen3-30B-A3B-Instruct-2507 qwen1_5-7b-chat
gpt2 gpt2-medium gpt2-xl bloom-7b1 TinyLlama-1.1B-Chat-v1.0 phi-2 Phi-3-mini-4k-instruct Phi-3-medium-128k-instruct Yarn-Llama-2-7b-128k
falcon-7b-instruct-bf16 model-Q4_K_M model-iq2_xs-fp16 mistral-7B-v0.3 Mistral-Nemo-Instruct-2407 Mistral-Small-24B-Base-2501 v1.2 2.5 iter3-x
deepseek-llm-7b-chat DeepSeek-V3-0324 Nous-Hermes-13b-lora gemma-2-2b-it gemma-3-270m SmolLM2-135M-Instruct kjv-llama a.b-c_d -lead trail-
x--y---z Large-model-large model-1.5B-3B-1.5b granite-3.0-1b-a400m-base olmo-1b-0724-hf CodeLlama-34b-Python-hf chat Chat-7B 7B-chat xxl-7b
name-xxl name-small-7b name_with_underscores-7_5B vicuna-7b-v1.5-16k WizardLM-2-8x22B StarCoder2-3b OpenHermes-2.5-Mistral-7B
checkpoint-500 final foo-v2-v3 foo-v2-bar foo-3-v2 foo-1.2.3-b bar-I2T-2T Command-R-Plus-104B-08-2024 QwQ-32B-Preview 1234 v12b e5-large-v2
Human-Sentence-Like LLAMA-UPPER-7B mIxEd-cAsE x1-x2 o1-7T m-7K stablelm-3b-4e1t K2-1T-A32B
""".split() + ["with space 7B chat", "a b-c", "tab\tname", "modèle-7B", "模型-7B-chat"]

PARAMS = ["-", "w:100", "w:999499", "w:1000000", "w:1000001", "w:1234567", "w:99999999", "blk.0.x:8030261248", "w:70553706496", "w:1500000000",
          "w:671026419200", "w:1000000000001", "w:9950000", "w:9949999", "w:12500000000",
          "a:4096x4096,blk.0.ffn_up_exps.weight:8x14336x4096,blk.0.ffn_gate_exps.weight:8x14336x4096",
          "blk.0.ffn_up_exps.weight:128x768x2048,blk.1.ffn_up_exps.weight:64x768x2048,t:151936x2048", "blk.0.ffn_up_exps.bias:32x8x2880,b:77",
          "blk.0.ffn_up_exps.bias:32x2880,b:77x3"]

CONFIGS = [None, {}, {"_name_or_path": "meta-llama/Llama-2-7b-hf"}, {"_name_or_path": "/home/me/models/x-7b"}, {"_name_or_path": "my-Model-13b-chat"},
           {"_name_or_path": "./local-7b-v2"}, {"_name_or_path": None}, {"_name_or_path": "some words here"}]

GENERATION = [None, {}, {"temperature": 0.6, "top_p": 0.9, "top_k": 20}, {"temperature": 1, "repetition_penalty": 1.05, "min_p": 0},
              {"penalty_repeat": None, "repetition_penalty": 1.2}, {"penalty_repeat": 1.1, "repetition_penalty": 1.2, "penalty_last_n": 64},
              {"sequence": "kpt", "mirostat": 2, "mirostat_tau": 5.0, "mirostat_eta": 0.1, "xtc_probability": 0.5, "xtc_threshold": 0.1},
              {"top_k": None, "top_p": 0.30000000000000004, "temperature": 1e-10}, "not json {", {"do_sample": True, "eos_token_id": [1, 2]}]

OVERRIDES = [None, {}, {"general.name": "Over Name", "general.author": "Ann", "general.version": "v7", "general.organization": "Org"},
             {"general.finetune": "tune", "general.basename": "Base", "general.description": "d", "general.quantized_by": "me",
              "general.size_label": "9B"}, {"general.license": "mit", "general.license.name": "own", "general.license.link": "LICENSE"},
             {"general.url": "u", "general.doi": "10.1/x", "general.uuid": "1-2", "general.repo_url": "r", "general.source.url": "su",
              "general.source.doi": "sd", "general.source.uuid": "sx", "general.source.repo_url": "sr"},
             {"general.tags": ["x", "y"], "general.languages": ["en"], "general.unknown": 3},
             {"general.base_models": [{"name": "A", "repo_url": "http://x"}, {"author": "B", "organization": "C", "version": "1", "uuid": "z"}],
              "general.datasets": [{"name": "D", "url": "u", "doi": "d", "description": "long"}]},
             {"general.base_models": [], "general.tags": [], "general.datasets": None},
             {"general.sampling.temp": 0.5, "general.sampling.top_k": 7, "general.sampling.sequence": "abc", "general.sampling.mirostat": None},
             {"general.author": None, "general.size_label": None, "general.basename": None, "general.version": None}]


def cases(cards):
    for name in NAMES:
        for params in PARAMS:
            yield name, params, None, None, None, None, None
    for card in cards:
        for name, params in (("Some-Model-7B-chat", "w:7000000000"), ("plain", "-"), ("kjv-llama", "w:4200000")):
            yield name, params, card, None, None, None, None
    for config in CONFIGS:
        for generation in GENERATION:
            yield "conf-3b-v2", "w:3000000000", None, config, generation, None, None
    for override in OVERRIDES:
        for card in [None] + cards[:6]:
            yield "over-3b-v2", "w:3000000000", card, None, GENERATION[2], override, None
    rnd = random.Random(1)
    for _ in range(600):
        yield (rnd.choice(NAMES), rnd.choice(PARAMS), rnd.choice(cards), rnd.choice(CONFIGS), rnd.choice(GENERATION), rnd.choice(OVERRIDES),
               rnd.choice([None, None, None, "Given Name"]))


def shapes(text):
    return [] if text == "-" else [(n, tuple(map(int, d.split("x")))) for n, d in (w.split(":") for w in text.split(","))]


def reference(directory, params, override, name):
    import gguf
    import numpy as np
    writer = gguf.GGUFWriter(None, "llama")
    writer.kv_data[0].clear()
    for tensor, shape in shapes(params):
        writer.add_tensor_info(tensor, shape, np.dtype(np.float32), 4 * prod(shape))
    total, shared, expert, experts = writer.get_total_parameter_count()
    writer.add_architecture()
    writer.add_type(gguf.GGUFType.MODEL)
    metadata = gguf.Metadata.load(override, directory, name, total)
    if metadata.name is None:
        metadata.name = directory.name
    if metadata.size_label is None and total > 0:
        metadata.size_label = gguf.size_label(total, shared, expert, experts)
    metadata.set_gguf_meta_model(writer)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    out = {}
    short = {"UINT32": "u32", "INT32": "i32", "FLOAT32": "f32", "STRING": "string", "BOOL": "bool"}
    for key, v in writer.kv_data[0].items():
        writer._pack_val(v.value, v.type, True)  # fails where the file could not be written
        if v.type.name == "ARRAY":
            out[key] = [short[gguf.GGUFValueType.get_type(v.value[0]).name] + "[]", v.value]
        else:
            value = v.value
            if v.type.name == "FLOAT32":
                value = float(np.float32(value))
            out[key] = [short[v.type.name], value]
    out["file"] = gguf.naming_convention(metadata.name, metadata.basename, metadata.finetune, metadata.version, metadata.size_label,
                                         "Q4_K_M") + ".gguf"
    return out


def make(work, cards):
    cards = [p.read_bytes() for p in sorted(Path(cards).glob("*.md"))]
    with open(work / "list", "w") as listing, open(work / "expected", "w") as expected:
        for i, (name, params, card, config, generation, override, given) in enumerate(cases(cards)):
            if "\t" in name:
                continue
            d = work / str(i) / name
            d.mkdir(parents=True)
            if card is not None:
                (d / "README.md").write_bytes(card)
            if config is not None:
                (d / "config.json").write_text(json.dumps(config))
            if generation is not None:
                (d / "generation_config.json").write_text(generation if isinstance(generation, str) else json.dumps(generation))
            o = None
            if override is not None:
                o = work / str(i) / "meta.json"
                o.write_text(json.dumps(override))
            try:
                result = reference(d, params, o, given)
            except Exception as e:
                result = {"error": repr(e)}
            listing.write(f"{d}\t{o or '-'}\t{given or '-'}\t{params}\n")
            expected.write(json.dumps(result, default=str) + "\n")


def differences(want, got):
    for key in sorted(set(want) | set(got)):
        a, b = want.get(key), got.get(key)
        if isinstance(a, list) and isinstance(b, list) and a[0] == b[0] == "f32":
            if abs(a[1] - b[1]) <= 1e-7 * abs(a[1]):
                continue
        if a != b:
            yield key, a, b


def compare(work):
    lists = [(work / n).read_text().splitlines() for n in ("list", "expected", "ours")]
    bad = failed = equal = 0
    for line, want, got in zip(*lists, strict=True):
        want, got = json.loads(want), json.loads(got)
        if "error" in want:
            failed += 1
            continue
        found = list(differences(want, got))
        equal += not found
        bad += bool(found)
        if found and bad <= 20:
            print("#", line)
            for key, a, b in found:
                print(f"#   {key}: reference {a}, heft {b}")
    print(f"{'not ' if bad else ''}ok 1 - general metadata: {equal} checkpoints equal, {bad} differ, {failed} that the reference cannot read")
    print("1..1")
    return bad > 0 or equal < 500


def record(cards):
    with open(cards / "expected.txt", "w") as out, tempfile.TemporaryDirectory() as tmp:
        for card in sorted(cards.glob("good-*.md")):
            d = Path(tmp) / card.stem / "Some-Model-7B-chat"
            d.mkdir(parents=True)
            (d / "README.md").write_bytes(card.read_bytes())
            out.write(f"# {card.name}\n")
            got = reference(d, "w:7000000000", None, None)
            del got["file"]
            for key, (kind, value) in sorted(got.items()):
                text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("\\n", "\\u000a")  # as jbuf_string writes it
                out.write(f"{key} {kind} {text}\n")


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(Path(sys.argv[2]))
    else:
        sys.exit(make(Path(sys.argv[2]), sys.argv[3]) if sys.argv[1] == "make" else compare(Path(sys.argv[2])))
