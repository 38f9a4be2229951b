#!/bin/bash
# heft fit: sizes to the byte, headers alone, where layers and experts go, what is taken, what is refused.
. "$(dirname "$0")/lib.sh"
tool=fit
fit() { "$heft" fit "$@" >"$dir/log" 2>&1 </dev/null; }
# of RECIPE KEY: a value of a recipe or target in the JSON that lies in $dir/log
of() { grep "\"name\": \"$1\"," "$dir/log" | head -n 1 | sed -E "s/.*\"$2\": (\"[^\"]*\"|\[[^]]*\]|[^,}]*).*/\1/"; }
value() { awk -v key="\"$1\":" 'index($0, key) { sub(/^[^:]*: /, ""); sub(/,$/, ""); print; exit }' "$dir/log"; }
is() { # GOT WANT LABEL
	[ "$1" = "$2" ]
	ok $? "$3" || echo "# got $1, want $2"
}

# ---- sizes
fit "$kjv" --vram 24G --json; pass $? "--json"
for t in q8_0 q4_k_m q2_k f16; do
	"$heft" convert "$kjv" -t $t -o "$dir/$t.gguf" -q -f
	is "$(of $t file_bytes)" "$(wc -c <"$dir/$t.gguf")" "$t: bytes of the file"
	"$heft" info --json "$dir/$t.gguf" >"$dir/info"
	is "$(of $t weight_bytes)" "$(awk -F'[:,]' '/"size":|"bytes":/ && !n { n = $2; sub(/ /, "", n) } END { print n }' "$dir/info")" "$t: bytes of its tensors"
done
for t in w4a16 fp8-dynamic; do
	"$heft" convert "$kjv" --to $t --method rtn -o "$dir/$t" -q -f
	n=$(wc -c <"$dir/$t/model.safetensors")
	w=$(of $t weight_bytes)
	[ "$w" -lt "$n" ] && [ $((n - w)) -lt 16384 ]
	ok $? "$t: the file but its header" || echo "# file $n, weights $w"
done
is "$(of q8_0 fits)" '"gpu"' "a small model is wholly on the GPU"
is "$(value take)" '"q8_0"' "and Q8_0 is taken, not 16 bits"
is "$(grep -o '"layer":' "$dir/log" | wc -l)" 4 "the cache of each layer"
is "$(grep -A 2 '"cache": {' "$dir/log" | awk -F'[:,]' '/bytes/ { print $2 + 0 }')" $((4 * 4 * 32 * 2 * 2 * 512)) "the model's own context: 4 layers, 4 heads of 32, keys and values of 2 bytes"

# ---- layers that predict further tokens
"$heft" meta set "$dir/q8_0.gguf" llama.nextn_predict_layers=u32:1 -f -q -o "$dir/drafts.gguf"
fit "$dir/q8_0.gguf" --vram 24G --json
whole=$(of keep gpu_bytes | tr -d '[]')
is "$(of keep unloaded_bytes)" 0 "all layers are loaded"
fit "$dir/drafts.gguf" --vram 24G --json
last=$("$heft" info --json "$dir/drafts.gguf" | awk -F'"size": ' '/"blk\.3\./ { split($2, n, ","); sum += n[1] } END { print sum }')
is "$(of keep unloaded_bytes)" "$last" "the last layer is not where it predicts further tokens"
is "$(of keep gpu_bytes | tr -d '[]')" $((whole - last - 4 * 32 * 2 * 2 * 512)) "its bytes and its cache are not counted"
says 0 "the last layer predicts further tokens" "and that is said" "$dir/drafts.gguf" --vram 24G

# ---- headers alone
cut() { # DIR: weight files end behind their headers
	local f n
	for f in "$1"/*.safetensors; do
		n=$(od -An -tu8 -N8 "$f")
		truncate -s $((n + 8)) "$f"
	done
}
cut=$dir/cut/kjv-llama # the name is in the metadata
mkdir -p "$cut" && cp "$kjv"/* "$cut" && cut "$cut"
fit "$cut" --vram 24G --json; pass $? "files cut off behind the header"
is "$(of q4_k_m file_bytes)" "$(wc -c <"$dir/q4_k_m.gguf")" "the same bytes"
"$heft" convert "$cut" -t q8_0 -o "$dir/no.gguf" >"$dir/log" 2>&1
[ $? = 1 ] && [ ! -e "$dir/no.gguf" ]
pass $? "convert refuses them"
fit "$cut" --vram 24G --json
n=$(of q4_k_m weight_bytes)
rm -f "$cut"/tokenizer*
fit "$cut" --vram 24G --json; pass $? "without a tokenizer"
is "$(of q4_k_m weight_bytes)" "$n" "the same weights"
is "$(of q4_k_m file_bytes)" null "and the size of the file is not known"
says 0 "tokenizer lacks" "the text says so" "$cut" --vram 24G
truncate -s 100 "$cut/model.safetensors"
says 1 E202 "a file cut off within its header" "$cut" --vram 24G
rm "$cut/model.safetensors"
says 1 E "no weight file at all" "$cut" --vram 24G
model "$dir/shards" llama layers=2 shards=3
rm "$dir"/shards/model-00002-of-*
says 1 "its header is enough" "a shard that is not there" "$dir/shards" --vram 24G
says 0 "take keep" "a file that is quantized is what it is" "$dir/q4_k_m.gguf" --vram 24G
says 0 "take q8_0" "a GGUF of 16 bits can become any" "$dir/f16.gguf" --vram 24G

# ---- where things go
model "$dir/big" llama-70b sparse=1 shards=4 vocab=2048
model "$dir/moe" moe-256 sparse=1 shards=2 vocab=2048 layers=6 experts=64
fit "$dir/big" --vram 24G --ctx 16k; pass $? "70B on 24G"
grep -q '^>  q4_k_m .* of 81 layers' "$dir/log"; pass $? "layers on the CPU: no more than 5 bits"
grep -q -e '-c 16384 -ngl [0-9]* -fa on$' "$dir/log"; pass $? "with the options that do it"
awk 'length($0) > 80 && !/heft-test/ { exit 1 }' "$dir/log"; pass $? "in 80 columns"
fit "$dir/big" --vram 24G --gpus 2 --ctx 16k
grep -q 'take q4_k_m: the best that is wholly' "$dir/log" && grep -q -e '-ngl 81 .*--tensor-split 4[0-9],[34][0-9]' "$dir/log"; pass $? "two GPUs hold it"
fit "$dir/big" --vram 48G --ctx 16k --kv q8_0
grep -q -e '-ctk q8_0 -ctv q8_0' "$dir/log"; pass $? "the cache's type goes to llama.cpp"
fit "$dir/big" --vram 24G --ram 8G --ctx 4k
grep -q 'q8_0 .* no$' "$dir/log"; pass $? "what memory does not hold is none"
fit "$dir/big" --vram 0 --ram 64G --ctx 4k
grep -q 'on the CPU alone' "$dir/log" && grep -q -e '-ngl 0' "$dir/log"; pass $? "no GPU at all"
fit "$dir/big" --vram 4G --ram 2G --ctx 32k
[ $? = 1 ] && grep -q 'nothing fits' "$dir/log" && grep -q -e '--kv q8_0' "$dir/log"; pass $? "nothing fits: exit status 1, and what would help"
fit "$dir/moe" --vram 2G --ctx 4k
grep -q 'experts of [0-9]* on CPU' "$dir/log" && grep -q -e '-ngl 7 --n-cpu-moe [1-6] ' "$dir/log"; pass $? "experts on the CPU"
fit "$dir/moe" --vram 2G --ctx 4k --json
is "$(($(of q4_k_m cpu_expert_layers) > 0))" 1 "in JSON, too"
[ "$(of q4_k_m gpu_bytes | tr -d '[]')" -le $((1 << 30)) ]
pass $? "what is reserved stays free"
says 0 "mac 36G: its GPU may hold" "a Mac" "$kjv" --for "mac 36G"
says 0 "mlx 4bit" "and MLX" "$kjv" --for "mac 36G"
says 0 "made for 512 tokens" "a context that the model was not made for" "$kjv" --vram 24G --ctx 8k
if [ -z "${HEFT_SANITIZE:-}" ]; then
	best=100000
	for i in 1 2 3; do
		"$build"/tests/helper/peak "$dir/peak" "$heft" fit "$dir/big" --vram 24G >/dev/null 2>&1
		read -r peak wall cpu rc <"$dir/peak"
		[ "$cpu" -ge $best ] || best=$cpu
	done
	[ $best -lt 1000 ]
	ok $? "all plans of a 70B in $best ms of processor time"
fi

# ---- refused
says 2 "how much memory" "no machine" "$kjv"
says 2 "not a size of memory" "--vram 24X" "$kjv" --vram 24X
says 2 "a unit lacks" "--vram 24" "$kjv" --vram 24
says 2 "not a size of memory" "--ram" "$kjv" --vram 24G --ram much
says 2 "not a number of tokens" "--ctx" "$kjv" --vram 24G --ctx long
says 2 "does not know" "--kv" "$kjv" --vram 24G --kv q4_k
says 2 "at most 16" "--gpus" "$kjv" --vram 24G --gpus 17
says 2 "says the machine" "--for beside --vram" "$kjv" --vram 24G --for "mac 36G"
says 2 "pc 36G" "--for" "$kjv" --for "pc 36G"
sed 's/LlamaForCausalLM/NobodyKnows/' "$kjv/config.json" >"$dir/config.json"
mkdir "$dir/odd" && cp "$kjv"/* "$dir/odd" && cp "$dir/config.json" "$dir/odd/"
says 1 "NobodyKnows" "a family that is not known" "$dir/odd" --vram 24G
model "$dir/narrow" llama-narrow
says 1 "blocks of 32" "heads that the cache's type does not hold" "$dir/narrow" --vram 24G --kv q8_0
finish
