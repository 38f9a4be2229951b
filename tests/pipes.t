#!/bin/bash
# Streams on standard input and output, and what is refused there.
. "$(dirname "$0")/lib.sh"
set -o pipefail

same() { # LABEL STATUS FILE
	[ "$2" = 0 ] && cmp "$3" "$dir/stream"
	ok $? "$1" || shown "$dir/stderr"
}
"$heft" convert "$kjv" -t bf16 -f -o "$dir/bf16.gguf" >/dev/null 2>&1
"$heft" convert "$dir/bf16.gguf" -t q4_k_m -f -o "$dir/q4.gguf" >/dev/null 2>&1
"$heft" convert "$kjv" -t q8_0 -f -o "$dir/q8.gguf" >/dev/null 2>&1

"$heft" convert - -t q4_k_m -o - <"$dir/bf16.gguf" >"$dir/stream" 2>"$dir/stderr"
same "GGUF from a file on standard input" $? "$dir/q4.gguf"
# shellcheck disable=SC2002
cat "$dir/bf16.gguf" | "$heft" convert - -t q4_k_m -o - 2>"$dir/stderr" | cat >"$dir/stream"
same "GGUF through pipes" $? "$dir/q4.gguf"
# shellcheck disable=SC2002
cat "$kjv/model.safetensors" | "$heft" convert - --config "$kjv" -t q8_0 -o - 2>"$dir/stderr" | cat >"$dir/stream"
same "safetensors through pipes with --config" $? "$dir/q8.gguf"
# shellcheck disable=SC2002
cat "$kjv/model.safetensors" | "$heft" convert - --config "$kjv" -t q8_0 -f -o "$dir/stream" >/dev/null 2>"$dir/stderr"
same "safetensors stream to a file" $? "$dir/q8.gguf"
(dd bs=1 count=100; sleep 0.2; cat) <"$dir/bf16.gguf" 2>/dev/null | "$heft" convert - -t q4_k_m -o - 2>"$dir/stderr" >"$dir/stream"
same "short reads" $? "$dir/q4.gguf"

model "$dir/fp8" llama hidden=320 ffn=448 head_dim=80 layers=2 fp8=1
"$heft" convert "$dir/fp8" -t q8_0 -f -o "$dir/fp8.gguf" >/dev/null 2>&1
# shellcheck disable=SC2002
cat "$dir/fp8/model.safetensors" | "$heft" convert - --config "$dir/fp8" -t q8_0 -f -o "$dir/stream" >/dev/null 2>"$dir/stderr"
same "weights and their scales from a stream" $? "$dir/fp8.gguf"

cat >"$dir/part.arch" <<'END'
arch part
from LlamaForCausalLM
base defaults
base text
map model.layers.{l}.self_attn.q_proj.weight + model.layers.{l}.self_attn.o_proj.weight -> blk.{l}.a.weight : join(1)
map model.layers.{l}.self_attn.k_proj.weight + model.layers.{l}.self_attn.v_proj.weight -> blk.{l}.b.weight
map model.layers.{l}.mlp.down_proj.weight -> blk.{l}.c.weight : perm(1, 0)
skip {*} "not needed here"
vocab spm
END
"$heft" convert "$kjv" --arch "$dir/part.arch" -t q8_0 -f -o "$dir/part.gguf" >/dev/null 2>&1
# shellcheck disable=SC2002
cat "$kjv/model.safetensors" | "$heft" convert - --config "$kjv" --arch "$dir/part.arch" -t q8_0 -o - 2>"$dir/stderr" >"$dir/stream"
same "a stream that is joined, turned, and not needed to its end" $? "$dir/part.gguf"

head -c 3000000 "$dir/bf16.gguf" | "$heft" convert - -t q4_k_m -o - >"$dir/stream" 2>"$dir/stderr"
[ $? = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
ok $? "a stream that ends early fails" || shown "$dir/stderr"
"$heft" convert "$kjv" -t q8_0 -o - 2>"$dir/stderr" | head -c 1000 >/dev/null
[ $? != 0 ] && [ "$(wc -l <"$dir/stderr")" -le 1 ]
ok $? "a reader that goes away fails under pipefail" || shown "$dir/stderr"

# Hugging Face writes tensors in name order: lm_head comes first and token_embd, which GGUF may want earlier, later
# shellcheck disable=SC2002
cat "$kjv/model.safetensors" | "$heft" convert - --config "$kjv" -t q8_0 --spool 1K -o - >"$dir/stream" 2>"$dir/stderr"
[ $? = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -q spool "$dir/stderr" && [ ! -s "$dir/stream" ]
ok $? "an order that needs more memory than --spool is refused in one line" || shown "$dir/stderr"
"$heft" convert - -t q8_0 -o - <"$kjv/model.safetensors" >"$dir/stream" 2>"$dir/stderr"
[ $? = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
ok $? "a safetensors stream without --config is refused" || shown "$dir/stderr"
printf '' | "$heft" convert - -t q8_0 -o - >"$dir/stream" 2>"$dir/stderr"
[ $? = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && [ ! -s "$dir/stream" ]
ok $? "an empty stream is refused" || shown "$dir/stderr"
finish
