#!/bin/bash
# From GGUF back to a checkpoint: the same tensors under the same names, files that make the same GGUF again, and what is refused.
. "$(dirname "$0")/lib.sh"
bpe=testdata/kjv-bpe

names() { # SOURCE: each tensor's name and shape
	"$heft" info "$1" --tensors --json | perl -MJSON::PP -0777 -ne 'print map { "$_->{name} @{$_->{shape}}\n" } @{decode_json($_)->{tensors}}' | sort
}
back() { # LABEL CHECKPOINT TYPE [ARGS...]: there, back and there again
	local label=$1 from=$2 type=$3 gguf=$dir/x.gguf out=$dir/out
	shift 3
	rm -rf "$gguf" "$out" "$dir/again.gguf"
	"$heft" convert "$from" -t "$type" -o "$gguf" -q "$@" 2>"$dir/stderr" && "$heft" convert "$gguf" --to safetensors -t "$type" -o "$out/" -q 2>"$dir/stderr"
	ok $? "$label: comes back" || shown "$dir/stderr"
	diff <(names "$from") <(names "$out") >"$dir/diff"
	ok $? "$label: the same names and shapes" || shown "$dir/diff"
	"$heft" diff "$from" "$out" --max-abs 0 -q >/dev/null 2>"$dir/stderr"
	ok $? "$label: the same values" || shown "$dir/stderr"
	"$heft" convert "$out" -t "$type" -o "$dir/again.gguf" -q "$@" 2>"$dir/stderr" && cmp "$gguf" "$dir/again.gguf" >"$dir/stderr" 2>&1
	ok $? "$label: makes the same GGUF" || shown "$dir/stderr"
}
refused() { # LABEL CODE TEXT ARGS...: in one line; nothing stays behind
	local label=$1 code=$2 text=$3
	shift 3
	rm -rf "$dir/no"
	"$heft" convert "$@" --to safetensors -t bf16 -o "$dir/no/" >"$dir/stdout" 2>"$dir/stderr"
	[ $? -eq 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -qF "[$code]" "$dir/stderr" && grep -qF -e "$text" "$dir/stderr" && [ ! -e "$dir/no" ]
	ok $? "$label" || shown "$dir/stderr"
}

back "kjv-llama" $kjv bf16
for preset in llama llama3 mistral mixtral qwen2 qwen3; do
	model "$dir/$preset" $preset layers=2
	back "$preset" "$dir/$preset" bf16
done
for preset in llama qwen3moe; do
	"$mkmodel" $preset "$dir/bpe-$preset" layers=1 dtype=f16 >/dev/null && cp $bpe/tokenizer* "$dir/bpe-$preset/"
	back "$preset, byte-level BPE" "$dir/bpe-$preset" f16 --pre qwen2
done
model "$dir/f32" llama layers=1 dtype=f32
back "f32" "$dir/f32" f32

# templates with names, tokens of the user's, a card
sed 's/"chat_template": .*/"chat_template": [{"name": "default", "template": "D\\r\\n"}, {"name": "tool_use", "template": "T"}],/' $bpe/tokenizer_config.json \
	>"$dir/bpe-llama/tokenizer_config.json"
printf -- '---\nname: A name\nlicense: mit\nbase_model: [Org/Base-7B, Org/Other]\ndatasets: data\ntags: [a, b]\nlanguage: en\n---\n' >"$dir/bpe-llama/README.md"
echo '{"temperature": 0.6, "top_k": 20, "top_p": 0.95}' >"$dir/bpe-llama/generation_config.json"
back "templates and a card" "$dir/bpe-llama" f16 --pre qwen2
model "$dir/added" llama layers=1
printf '{"tokenizer_class": "LlamaTokenizer", "add_bos_token": true, "added_tokens_decoder": {"0": {"content": "<unk>", "special": true}, "2040": {"content": "<mine>", "special": false}}}' \
	>"$dir/added/tokenizer_config.json"
back "added tokens" "$dir/added" bf16

# sets of files, several outputs, a stream
"$heft" convert "$dir/llama" -t bf16 -o "$dir/set.gguf" --split-size 1M -q
"$heft" convert "$dir"/set-00002-of-*.gguf --to safetensors -t bf16 -o "$dir/set/" --split-size 1M -q 2>"$dir/stderr"
[ -e "$dir/set/model.safetensors.index.json" ] && [ -e "$dir/set/config.json" ] && ls "$dir"/set/model-00002-of-0000?.safetensors >/dev/null
ok $? "a set becomes a set with its index" || shown "$dir/stderr"
"$heft" convert "$dir/llama" -t bf16 -o "$dir/one.gguf" -q && "$heft" convert "$dir/set" -t bf16 -o "$dir/two.gguf" -q && cmp "$dir/one.gguf" "$dir/two.gguf"
ok $? "which makes the same GGUF"
"$heft" convert "$dir/one.gguf" --to safetensors -t bf16 -o "$dir/b16/" -t f32 -o "$dir/b32/" -q
grep -q '"torch_dtype": "bfloat16"' "$dir/b16/config.json" && grep -q '"torch_dtype": "float32"' "$dir/b32/config.json"
ok $? "each output tells its own type"
"$heft" convert - --to safetensors -t bf16 -o "$dir/piped/" -q <"$dir/one.gguf" 2>"$dir/stderr" && cmp "$dir/piped/model.safetensors" "$dir/b16/model.safetensors"
ok $? "from a stream" || shown "$dir/stderr"

"$heft" convert "$dir/one.gguf" --to safetensors -t bf16 -o "$dir/dry/" -n | grep -q '^and .*/dry/config.json, .*tokenizer.json' && [ ! -e "$dir/dry" ]
ok $? "a plan names the files beside the weights"

# quantized
"$heft" convert "$dir/mixtral" -t q4_k_m -o "$dir/q.gguf" -q && "$heft" convert "$dir/q.gguf" --to safetensors -t f32 -o "$dir/q/" -q 2>"$dir/stderr" &&
	"$heft" diff "$dir/q.gguf" "$dir/q" --max-abs 0 -q >/dev/null 2>>"$dir/stderr"
ok $? "a quantized file's values" || shown "$dir/stderr"

# what is written where
mkdir "$dir/lone"
"$heft" convert "$dir/one.gguf" --to safetensors -t bf16 -o "$dir/lone/x.safetensors" -q
[ "$(ls "$dir/lone")" = x.safetensors ] && names "$dir/lone/x.safetensors" | grep -q '^model.layers.0.self_attn.q_proj.weight '
ok $? "a file's name as OUT: the weights alone"
"$heft" convert "$dir/one.gguf" --to safetensors -t bf16 --arch none -o "$dir/lone/y.safetensors" -q && names "$dir/lone/y.safetensors" | grep -q '^blk.0.attn_q.weight '
ok $? "--arch none keeps the GGUF's names"
"$heft" convert "$dir/one.gguf" --to safetensors -t bf16 -o "$dir/b16/" -q 2>"$dir/stderr"
[ $? -eq 1 ] && grep -q E105 "$dir/stderr"
ok $? "a checkpoint that is there is not replaced" || shown "$dir/stderr"
"$heft" convert "$dir/one.gguf" --to safetensors -t bf16 -o "$dir/b16" -q -f
ok $? "but with -f, slash or none"

# refusals
quick() { # OVERRIDE...: the GGUF with other metadata
	rm -f "$dir/y.gguf"
	"$heft" convert "$dir/one.gguf" -t copy -o "$dir/y.gguf" -q $(printf -- '--override-kv %s ' "$@")
}
quick general.architecture=str:unheard
"$heft" convert "$dir/one.gguf" --to safetensors -t bf16 -o "$dir/made" -q && [ -e "$dir/made/config.json" ]
ok $? "a name without an ending is a directory"
refused "an unknown family" E301 "no family 'unheard'" "$dir/y.gguf"
quick llama.attention.causal=bool:true
refused "a key that does not come back" E303 "text.arch" "$dir/y.gguf"
quick llama.rope.scaling.type=str:longrope
refused "a rope without its factors" E303 "rope.scaling.type" "$dir/y.gguf"
quick llama.block_count=int:1
refused "fewer layers than there are" E303 "model.layers.1." "$dir/y.gguf"
quick llama.attention.head_count=int:3
refused "heads that do not fit" E207 "3 heads" "$dir/y.gguf"
quick tokenizer.ggml.model=str:bert
refused "a tokenizer of another kind" E401 "'bert'" "$dir/y.gguf"
quick tokenizer.ggml.model=str:gpt2
refused "a tokenizer without its merges" E402 "pass --pre" "$dir/y.gguf"
cat >"$dir/oneway.arch" <<'ARCH'
arch llama
from LlamaForCausalLM
base llama
back model_type = "llama"
back architectures = ["LlamaForCausalLM"]
map {m:model.|}layers.{l}.self_attn.v_proj.weight -> blk.{l}.attn_v.weight : view(shape[0] * shape[1]) view(32, -1)
ARCH
refused "a row without an inverse is named" E301 "oneway.arch:6: an operation has no inverse" "$dir/one.gguf" --arch "$dir/oneway.arch"
printf 'arch llama\nfrom LlamaForCausalLM\nbase llama\noneway "it is lost"\n' >"$dir/lost.arch"
refused "a family says why it does not go back" E301 "lost.arch:4: it is lost" "$dir/one.gguf" --arch "$dir/lost.arch"
sed '$s/$/ back view(-1, 256)/' "$dir/oneway.arch" >"$dir/told.arch"
"$heft" arch list --arch "$dir/told.arch" | grep -qE '^llama +.*told.arch +yes'
ok $? "but where it says the way back"
"$heft" arch list --arch "$dir/oneway.arch" --json | grep -q '"no_way_back": ".*oneway.arch:6'
ok $? "heft arch list says so"
finish
