"""State-space models, hybrids of these with attention, and relatives of Llama that are published under names of their own."""
from make_checkpoint import LLAMA3, NARROW, SPM, WIDE, YARN, case

SMALL = dict(NARROW, num_hidden_layers=2)
SMOLLM3 = ("SmolLM3", SPM)
STATE = dict(hidden_size=64, num_hidden_layers=2, state_size=16, **SPM)
MAMBA, FALCON_MAMBA = ("Mamba", {}), ("FalconMamba", {})
MAMBA2 = ("Mamba2", dict(num_heads=8, head_dim=16, n_groups=2))

CASES = {
    "smollm3": case(SMOLLM3, WIDE, num_hidden_layers=4),
    "smollm3-old": case(SMOLLM3, SMALL, spell="old", types="plain", tie_word_embeddings=False),
    "smollm3-minimal": case(SMOLLM3, NARROW, spell="minimal", types="plain", num_key_value_heads=4),
    "smollm3-yarn": case(SMOLLM3, SMALL, types="plain", rope_parameters=YARN, dtype="float16"),
    "smollm3-rope3": case(SMOLLM3, SMALL, types="plain", rope_parameters=LLAMA3, spell="old", dtype="float32"),
    "mamba": case(MAMBA, STATE, hidden_size=256, types="few"),
    "mamba-untied": case(MAMBA, STATE, types="plain", tie_word_embeddings=False, dtype="float16", spell="old"),
    "mamba-minimal": case(MAMBA, STATE, types="plain", dtype="float32", spell="minimal", state_size=16, conv_kernel=3),
    "mamba-bias": case(MAMBA, STATE, types="plain", use_bias=True, intermediate_size=128),
    "mamba-bpe": case(MAMBA, dict(STATE, hidden_size=32), types="plain", tok="gpt_neox", time_step_rank=5),
    "falcon-mamba": case(FALCON_MAMBA, STATE, types="plain"),
    "mamba2": case(MAMBA2, dict(STATE, hidden_size=256), num_heads=32),
    "mamba2-tied": case(MAMBA2, STATE, types="plain", tie_word_embeddings=True, dtype="float16"),
    "mamba2-f32": case(MAMBA2, STATE, types="plain", dtype="float32", spell="old", n_groups=1),
    "mamba2-minimal": case(MAMBA2, STATE, types="plain", spell="minimal", num_heads=2, head_dim=64),
}
