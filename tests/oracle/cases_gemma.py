"""Gemma 1 to 4, EmbeddingGemma: checkpoints by transformers' classes; a SentencePiece model with byte fallback is trained for some."""
from make_checkpoint import NARROW, case

SIZES = dict(NARROW, head_dim=16)
IDS = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
GEMMA, GEMMA2, GEMMA3 = ("Gemma", IDS), ("Gemma2", IDS), ("Gemma3", IDS)


CASES = {
    "gemma": case(GEMMA, SIZES, types="few"),
    "gemma-old": case(GEMMA, SIZES, spell="old", dtype="float16", types="plain", extras=("generation", "template")),
    "gemma-minimal": case(GEMMA, SIZES, spell="minimal", types="plain"),
    "gemma2": case(GEMMA2, SIZES, types="few", sliding_window=64),
    "gemma2-old": case(GEMMA2, SIZES, spell="old", dtype="float32", types="plain"),
    "gemma2-minimal": case(GEMMA2, SIZES, spell="minimal", types="plain", dtype="float16"),
}
