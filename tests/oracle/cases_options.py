"""The reference converter's own options, over other files' cases: families that the options do different things to."""
import importlib

from make_checkpoint import CASES as OLDER

GROUPS = [OLDER] + [importlib.import_module("cases_" + g).CASES for g in "bert classic deepseek gemma hybrid qwen".split()]
ALL = {name: c for g in GROUPS for name, c in g.items()}


def given(name, *args, types="bare", **change):
    return dict(ALL[name], types=types, args=ALL[name]["args"] + list(args), **change)


def fused(name, **change):
    return given(name, "--fuse-qkv", **change)


CASES = {
    "fuse-qkv-llama": fused("llama-narrow", types="few"),
    "fuse-qkv-llama-bias": fused("llama-bias"),
    "fuse-qkv-llama-f16": fused("llama-mha"),
    "fuse-qkv-llama-mixed": fused("llama-mixed"),
    "fuse-qkv-mixtral": fused("mixtral-narrow"),
    "fuse-qkv-qwen2": fused("qwen2-narrow"),
    "fuse-qkv-qwen3next": fused("qwen3next"),
    "fuse-qkv-refact": fused("refact"),
    "fuse-qkv-internlm2": fused("internlm2"),
    "fuse-qkv-bert": fused("bert"),
    "fuse-qkv-gemma3n": fused("gemma3n"),
    "fuse-qkv-gemma4": fused("gemma4"),
    "fuse-qkv-fp8": fused("qwen2moe-fp8"),
    "fuse-qkv-fp8-as-q8": fused("qwen2moe-fp8-as-q8"),
    "fuse-exps-qwen3next": given("qwen3next", "--fuse-gate-up-exps", types="plain"),
    "fuse-exps-qwen3next-fused": given("qwen3next-fused", "--fuse-gate-up-exps"),
    "fuse-exps-qwen35moe": given("qwen35moe", "--fuse-gate-up-exps", "--fuse-qkv"),
    "fuse-exps-gemma4": given("gemma4-moe", "--fuse-gate-up-exps"),
}
