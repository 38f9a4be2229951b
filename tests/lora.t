#!/bin/bash
# LoRA adapters, without the reference tools: the ways that lead to one model give the same bytes, and what does not fit is refused by name.
. "$(dirname "$0")/lib.sh"
run() { # LABEL ARGS...
	local label=$1
	shift
	"$heft" lora "$@" -q >"$dir/log" 2>&1; ok $? "$label" || shown "$dir/log"
}
refused() { # LABEL CODE TEXT ARGS...
	local label=$1 code=$2 text=$3
	shift 3
	"$heft" lora "$@" -o "$dir/refused" -f -q >"$dir/log" 2>&1
	[ $? = 1 ] && grep -q "$code" "$dir/log" && grep -Eq "$text" "$dir/log" && [ ! -e "$dir/refused" ]; ok $? "refused: $label" || shown "$dir/log"
}
same() { # LABEL A B
	cmp -s "$2" "$3"; ok $? "$1" || echo "# $2 and $3 differ"
}
values() { # LABEL A B: the same tensors, to the bit
	"$heft" diff "$2" "$3" --max-rmse 0 >"$dir/log" 2>&1; ok $? "$1" || shown "$dir/log"
}
layer=model.layers.1
modules="$layer.self_attn.q_proj:256x256 $layer.self_attn.k_proj:128x256 $layer.mlp.down_proj:256x768 lm_head:2048x256"
# shellcheck disable=SC2086
{
	"$mklora" "$dir/plain" $modules embed=model.embed_tokens:2048x256
	"$mklora" "$dir/linear" $modules
	"$mklora" "$dir/mlx" mlx=1 $modules
	"$mklora" "$dir/dora" dora=1 r=3 'more="use_rslora": true' $modules
	"$mklora" "$dir/patterns" 'more="use_rslora": true, "alpha_pattern": {"layers.1.mlp.down_proj": 3, "k_.*": 5}' $modules
}

# merged, then quantized; merged while it is quantized
run "merge to safetensors" merge "$kjv" "$dir/plain" "$dir/dora" --to safetensors -t f32 -o "$dir/merged.safetensors"
mkdir "$dir/checkpoint" && cp "$kjv"/*.json "$kjv"/tokenizer.model "$dir/checkpoint" && mv "$dir/merged.safetensors" "$dir/checkpoint/model.safetensors"
for t in q4_k_m f32 q8_0; do
	run "merge, $t" merge "$kjv" "$dir/plain" "$dir/dora" -t $t -o "$dir/one.gguf" -f
	"$heft" convert "$dir/checkpoint" --via f32 -t $t -o "$dir/two.gguf" -f -q; values "one pass gives what two do, $t" "$dir/one.gguf" "$dir/two.gguf"
done
"$heft" diff "$kjv" "$dir/checkpoint" --max-rmse 1e-4 >/dev/null 2>&1; [ $? = 1 ]; ok $? "an adapter changes the model"

for j in 1 2 7; do
	"$heft" lora merge "$kjv" "$dir/plain" "$dir/dora" -t q4_k_m -j $j -o "$dir/j$j.gguf" -q
done
same "1 and 2 threads" "$dir/j1.gguf" "$dir/j2.gguf"
same "1 and 7 threads" "$dir/j1.gguf" "$dir/j7.gguf"

# a GGUF adapter in a GGUF, a PEFT adapter in a checkpoint: rows are rearranged before or behind the sum
"$heft" convert "$kjv" -t f32 -o "$dir/base.gguf" -q
for a in plain linear mlx; do
	run "convert $a" convert "$dir/$a" --base "$kjv" -o "$dir/$a.gguf"
	run "merge $a" merge "$kjv" "$dir/$a" -t f32 -o "$dir/one.gguf" -f
	run "merge $a as GGUF" merge "$dir/base.gguf" "$dir/$a.gguf" -t f32 -o "$dir/two.gguf" -f
	values "$a: the same either way" "$dir/one.gguf" "$dir/two.gguf"
done
run "convert with patterns" convert "$dir/patterns" --base "$kjv" -o "$dir/patterns.gguf"
run "merge patterns" merge "$kjv" "$dir/patterns" -t f32 -o "$dir/one.gguf" -f
run "merge patterns as GGUF" merge "$dir/base.gguf" "$dir/patterns.gguf" -t f32 -o "$dir/two.gguf" -f
"$heft" diff "$dir/one.gguf" "$dir/two.gguf" --max-rmse 1e-8 >"$dir/log" 2>&1; ok $? "patterns: the same but for rounding" || shown "$dir/log"
"$heft" info "$dir/patterns.gguf" --metadata 2>&1 | grep -q 'adapter.lora.alpha.*16'; ok $? "the alpha of a rank-stabilised adapter is that of its root"

# weights
run "merge by half, twice" merge "$kjv" "$dir/linear=0.5" "$dir/linear=0.5" -t f32 -o "$dir/two.gguf" -f
run "merge once" merge "$kjv" "$dir/linear" -t f32 -o "$dir/one.gguf" -f
"$heft" diff "$dir/one.gguf" "$dir/two.gguf" --max-rmse 1e-8 >"$dir/log" 2>&1; ok $? "two halves are a whole" || shown "$dir/log"
run "merge and take away" merge "$kjv" "$dir/linear" "$dir/linear=-1" -t bf16 -o "$dir/two.gguf" -f
"$heft" diff "$kjv" "$dir/two.gguf" --max-rmse 1e-5 >"$dir/log" 2>&1; ok $? "an adapter less itself is none" || shown "$dir/log"

# whole tensors
"$mklora" "$dir/whole" whole=model.norm.weight:256 $layer.self_attn.v_proj:128x256
run "merge a whole tensor" merge "$kjv" "$dir/whole" -t bf16 -o "$dir/one.gguf" -f
run "convert a norm" convert "$dir/whole" --base "$kjv" -o "$dir/norm.gguf"
"$mklora" "$dir/wrong" whole=model.norm.weight:255 $layer.self_attn.v_proj:128x256
refused "a whole tensor of another shape" E207 "model.norm.weight.*255" merge "$kjv" "$dir/wrong" -t bf16
refused "a weight for whole tensors" E506 "model.norm.weight" merge "$kjv" "$dir/whole=0.5" -t bf16
refused "a weight for magnitudes" E506 "DoRA" merge "$kjv" "$dir/dora=0.5" -t bf16
refused "magnitudes in a GGUF adapter" E302 "magnitude" convert "$dir/dora" --base "$kjv"

# adapters that are switched on by tokens, and those whose base was changed first
"$mklora" "$dir/switched" 'more="alora_invocation_tokens": [5, 6]' $layer.self_attn.q_proj:256x256
run "convert an activated adapter" convert "$dir/switched" --base "$kjv" -o "$dir/switched.gguf"
"$heft" info "$dir/switched.gguf" --metadata 2>&1 | grep -q 'adapter.alora.invocation_tokens'; ok $? "it has its tokens"
refused "to merge it" E302 "invocation tokens" merge "$kjv" "$dir/switched" -t bf16
"$mklora" "$dir/pissa" 'more="init_lora_weights": "pissa"' $layer.self_attn.q_proj:256x256
refused "factors of the base's own weights" E302 "pissa" merge "$kjv" "$dir/pissa" -t bf16
"$mklora" "$dir/replicated" 'more="layer_replication": [[1, 3]]' $layer.self_attn.q_proj:256x256
refused "layers that stand for others" E302 "layer_replication" convert "$dir/replicated" --base "$kjv"

# MLX
"$mklora" "$dir/mlx-dora" mlx=1 dora=1 $layer.self_attn.q_proj:256x256
run "merge MLX's magnitudes" merge "$kjv" "$dir/mlx-dora" -t f32 -o "$dir/one.gguf" -f
mkdir "$dir/full" && cp "$dir/checkpoint/model.safetensors" "$dir/full/adapters.safetensors" && echo '{"fine_tune_type": "full", "lora_parameters": {}}' >"$dir/full/adapter_config.json"
run "merge MLX's full fine-tuning" merge "$kjv" "$dir/full" -t f32 -o "$dir/one.gguf" -f
"$heft" convert "$dir/checkpoint" -t f32 -o "$dir/two.gguf" -f -q; values "the model is what it says" "$dir/one.gguf" "$dir/two.gguf"

# what finds no place
"$mklora" "$dir/lost" model.layers.9.self_attn.q_proj:256x256
refused "a layer that is not there" E602 "layers.9.self_attn.q_proj" merge "$kjv" "$dir/lost" -t bf16
refused "a layer that is not there, convert" E303 "layers.9.self_attn.q_proj" convert "$dir/lost" --base "$kjv"
"$mklora" "$dir/shape" $layer.self_attn.q_proj:256x128
refused "another shape" E207 "q_proj.*256 x 128" merge "$kjv" "$dir/shape" -t bf16
refused "PEFT into GGUF" E602 "heft lora convert" merge "$dir/base.gguf" "$dir/linear" -t f16
"$mklora" "$dir/ia3" 'more="peft_type": "IA3"' $layer.self_attn.q_proj:256x256
sed 's/"peft_type": "LORA", //' "$dir/ia3/adapter_config.json" >"$dir/c" && mv "$dir/c" "$dir/ia3/adapter_config.json"
refused "another kind" E302 "IA3" merge "$kjv" "$dir/ia3" -t bf16
"$mklora" "$dir/half" whole=$layer.self_attn.q_proj.lora_A.weight:4x256
refused "a factor alone" E304 "lora_A.*lora_B" merge "$kjv" "$dir/half" -t bf16
"$mklora" "$dir/zero" alpha=0 $layer.self_attn.q_proj:256x256
refused "no scale" E302 "lora_alpha" merge "$kjv" "$dir/zero" -t bf16
refused "no base" E302 "\-\-base" convert "$dir/linear"
refused "a recipe" E501 "q4_k_m" convert "$dir/linear" --base "$kjv" -t q4_k_m
refused "an empty folder" E101 "adapter_model" convert "$dir/checkpoint"
rm "$dir/half/adapter_config.json"
refused "no configuration" E "adapter_config.json" merge "$kjv" "$dir/half"
"$heft" lora frob x >/dev/null 2>&1; [ $? = 2 ]; ok $? "no such command"
"$heft" lora merge "$kjv" "$dir/linear=x" >/dev/null 2>&1; [ $? = 2 ]; ok $? "no such weight"
finish
