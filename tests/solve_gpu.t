#!/bin/bash
# heft convert --target-size with directories for GPU runtimes: never over, near, what runtimes put together alike, replay by recipe, the user's
# rules, what is refused. Whether the real libraries load such a directory is tests/oracle/gpu_load's.
. "$(dirname "$0")/lib.sh"
run() { "$heft" "$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null; }
size() { cat "$1"/*.safetensors | wc -c | tr -d ' '; }
said() { sed -n "s/^		\"$1\": \([0-9.e+-]*\),\{0,1\}$/\1/p" "$dir/stdout" | head -n 1; } # KEY of "solution"
as() { # MODULE: names of the tensors that it is stored as in $dir/gpu, their types and what depends on its columns
	LC_ALL=C grep -aoh "\"$1\.[a-z_]*\":{\"dtype\":\"[A-Z0-9_]*\",\"shape\":\[[0-9,]*\]" "$dir/gpu"/*.safetensors |
		sed "s/$1//; /\"\.[qs]/s/,[0-9]*\]/]/; /\"\.w/s/\[[0-9]*/[/" | sort | tr '\n' ' '
}
alike() { # MODULE...: all stored in the same way
	local m first=
	for m in "$@"; do
		first=${first:-$(as "$m" | sed 's/"\.bias[^ ]* //')}
		[ -n "$first" ] && [ "$(as "$m" | sed 's/"\.bias[^ ]* //')" = "$first" ] || { echo "$m: $(as "$m"), not $first" >>"$dir/stderr"; return 1; }
	done
}
sets_alike() { # LAYERS: queries, keys and values, gate and up of each
	local l
	for l in $1; do
		alike model.layers.$l.self_attn.{q,k,v}_proj && alike model.layers.$l.mlp.{gate,up}_proj || return 1
	done
}
fits() { # BYTES MOST: not over; within 0.5 %, or that nothing is so near was said
	[ "$1" -le "$2" ] && { [ $(($1 * 1000)) -ge $(($2 * 995)) ] || grep -q 'what is decided at once is large' "$dir/stderr"; }
}

rows="w4a16:4600000 w4a16-asym:6200000 w8a16:5000000 w8a8:4900000 fp8-dynamic:4500000 fp8-block:5000000 mxfp4a16:4700000 mxfp8a16:5100000 nvfp4a16:6300000 gptq:5500000 gptq-8bit:4600000"
sizes="7.2 8 8.5 10 12 15"
[ -z "${HEFT_SANITIZE:-}" ] || rows="fp8-block:5000000 gptq-8bit:4600000" sizes="7.2 10" # each takes seconds there; the code is the same
for row in $rows; do
	IFS=: read -r to target <<<"$row"
	rm -f "$dir/gpu.recipe"
	run convert "$kjv" --to $to --target-size $target -f -o "$dir/gpu" --save-recipe "$dir/gpu.recipe" && n=$(size "$dir/gpu") && fits "$n" $target
	ok $? "--to $to: $target bytes: $n" || shown "$dir/stderr"
	sets_alike "0 1 2 3" && as lm_head | grep -q BF16 && as model.embed_tokens | grep -q BF16
	ok $? "--to $to: what runtimes fuse alike, heads and embeddings as they are" || shown "$dir/stderr"
	run convert "$kjv" --recipe "$dir/gpu.recipe" --strict -q -f -o "$dir/gpu2" -j 7 && diff -r "$dir/gpu" "$dir/gpu2" >"$dir/stderr"
	ok $? "--to $to: by its recipe the same directory" || shown "$dir/stderr"
done
grep -q '"+:^model\\\\.layers\\\\.3\\\\.mlp\\\\.(?:gate_proj|up_proj|gate_up_proj)\$": {"bits": 4' "$dir/gpu/config.json" && as model.layers.3.mlp.up_proj | grep -q 'qweight.*\[32\]' && as model.layers.0.self_attn.q_proj | grep -q 'qweight.*\[64\]'
ok $? "gptq-8bit: rules that find what vLLM makes of several modules" || shown "$dir/gpu/config.json"

last=1e9 bad=0
for bits in $sizes; do
	run convert "$kjv" --to w4a16 --target-bpw $bits -n --json
	awk -v a="$(said cost)" -v b="$last" -v bits="$(said bits_per_weight)" -v most=$bits 'BEGIN { exit !(a != "" && a <= b && bits <= most && bits > 0.99 * most) }' || bad=$((bad + 1))
	last=$(said cost)
done
ok $bad "more bits lose less, and are not exceeded" || shown "$dir/stdout"
run convert "$kjv" --to w4a16 --target-bpw 8 -n --json && predicted=$(said size)
run convert "$kjv" --to w4a16 --target-bpw 8 -q -f -o "$dir/gpu" -j 1 && HEFT_CPU=scalar run convert "$kjv" --to w4a16 --target-bpw 8 -q -f -o "$dir/gpu2" -j 7 && diff -r "$dir/gpu" "$dir/gpu2" >"$dir/stderr" && [ "$(size "$dir/gpu")" = "$predicted" ]
ok $? "the same for threads and processors, and as -n says" || shown "$dir/stderr"
run convert "$kjv" --to w4a16 --target-bpw 8 --imatrix "$kjv/imatrix.dat" -f -o "$dir/gpu2" && fits "$(size "$dir/gpu2")" "$((predicted * 1005 / 1000))" && ! cmp -s "$dir/gpu/model.safetensors" "$dir/gpu2/model.safetensors"
ok $? "with an importance matrix" || shown "$dir/stderr"
run convert "$kjv" --to w4a16 --target-size 4.6M --split-size 1M -f -o "$dir/parts" && fits "$(size "$dir/parts")" 4600000 && [ -e "$dir"/parts/model-00002-of-*.safetensors ]
ok $? "shards: all together" || shown "$dir/stderr"
free=$(beside_weights)
run convert "$kjv" --to w4a16 --fit "$((free + 4600000)) ctx=512" -n --json && [ "$(said size)" -le 4600000 ] && [ "$(said size)" -ge 4577000 ]
ok $? "--fit" || shown "$dir/stderr"
run convert "$kjv" --to nvfp4a16 --target-size 5M --sample 30 -n && grep -q 'from 30 % of the rows' "$dir/stdout"
ok $? "--sample" || shown "$dir/stderr"

# what the user says
run convert "$kjv" --to w4a16 --target-size 5M --tensor-type 'self_attn.[qkv]_proj=w8a16:32' --ignore layers.0.mlp -q -f -o "$dir/gpu" --save-recipe "$dir/r" &&
	grep -q '^model.layers.{l}.self_attn.v_proj -> w8a16:32$' "$dir/r" && grep -q '^keep model.layers.{l}.mlp.up_proj "as it is" when l in \[0' "$dir/r" &&
	run convert "$kjv" --recipe "$dir/r" -q -f -o "$dir/gpu2" && diff -r "$dir/gpu" "$dir/gpu2" >"$dir/stderr"
ok $? "rules of the user's stand, and the recipe says them, too" || shown "$dir/stderr"
run convert "$kjv" --to w4a16 --target-size 5M --targets mlp -q -f -o "$dir/gpu" && as model.layers.1.self_attn.q_proj | grep -q BF16 && as model.layers.3.mlp.up_proj | grep -q weight_packed
ok $? "--targets" || shown "$dir/stderr"
refused 1 'are one matrix or layer to runtimes' "a rule for one matrix that is fused with others" "$kjv" --to w4a16 --target-size 5M --tensor-type q_proj=w8a16 -n
run convert "$kjv" --to w4a16 --target-size 5M --candidates keep,w4a16:64,bf16 -n && grep -q -e '-> w4a16:64' "$dir/stdout" && ! grep -q -e '-> w8a16' "$dir/stdout"
ok $? "--candidates with groups of a size, and that stay" || shown "$dir/stderr"

# other models: experts, biases, a tied head, matrices that do not fit
solved() { # MODEL TO BITS [OPTION...]
	local m=$1 to=$2 bits=$3
	shift 3
	run convert "$dir/$m" --to $to --target-bpw $bits "$@" -f -o "$dir/gpu" --save-recipe "$dir/$m.recipe" && run convert "$dir/$m" --recipe "$dir/$m.recipe" -q -f -o "$dir/gpu2" && diff -r "$dir/gpu" "$dir/gpu2" >"$dir/stderr"
}
model "$dir/moe" mixtral ffn=256 layers=2
for to in w4a16 gptq; do
	solved moe $to 8 && bad=0
	for l in 0 1; do
		alike model.layers.$l.block_sparse_moe.experts.{0,1,2,3,4,5,6,7}.w{1,3} && alike model.layers.$l.self_attn.{q,k,v}_proj && as model.layers.$l.block_sparse_moe.gate | grep -q BF16 || bad=1
	done
	ok $bad "$to: the experts of a layer alike, routers as they are" || shown "$dir/stderr"
done
grep -q '^[a-z ]*model.layers.{l}.block_sparse_moe.experts.{e}.w1 ' "$dir/moe.recipe" && ! grep -qF 'experts.0' "$dir/moe.recipe" && ! grep -qF 'experts\\.0' "$dir/gpu/config.json"
ok $? "and one row for all of them" || shown "$dir/moe.recipe"
model "$dir/biased" qwen2
solved biased fp8-dynamic 9 && sets_alike "0 1 2 3" && as model.layers.0.self_attn.q_proj | grep -q '.bias.*BF16'
ok $? "biases stay, with a tied head" || shown "$dir/stderr"
model "$dir/many" llama-80 layers=40
for to in w4a16 mxfp4a16; do
	solved many $to 6.2 && run convert "$dir/many" --to $to --target-bpw 6.2 -n --json && awk -v bits="$(said bits_per_weight)" 'BEGIN { exit !(bits <= 6.2 && bits > 0.998 * 6.2) }'
	ok $? "$to: of 40 layers within 0.2 %" || shown "$dir/stderr"
done
model "$dir/odd" llama hidden=256 heads=4 kv_heads=1 head_dim=64 ffn=192 layers=3
solved odd w4a16 13 && as model.layers.1.mlp.down_proj | grep -q '.weight.*BF16' && as model.layers.1.mlp.up_proj | grep -q packed
ok $? "a matrix that no candidate serves stays" || shown "$dir/stderr"
"$build/tests/helper/mkexperts" "$dir/experts" concat >"$dir/log" 2>&1
run convert "$dir/experts/fused" --to w4a16 --target-bpw 9 -q -f -o "$dir/gpu" && run convert "$dir/experts/split" --to w4a16 --target-bpw 9 -q -f -o "$dir/gpu2" && diff -r "$dir/gpu" "$dir/gpu2" >"$dir/stderr"
ok $? "experts in one tensor: as their twin" || shown "$dir/stderr"

refused 1 'a size can be asked of' "a target of one size" "$kjv" --target-size 2M --to awq -o "$dir/no"
refused 1 'do not go into one directory' "a candidate of another family" "$kjv" --target-size 5M --to w4a16 --candidates keep,gptq -o "$dir/no"
refused 1 'the smallest file that can be made of the candidates has' "too small" "$kjv" --target-size 3M --to w4a16 -o "$dir/no"
refused 1 'have room for all weights as they are' "a size that needs no codes" "$kjv" --target-size 9M --to w4a16 -o "$dir/no"
finish
