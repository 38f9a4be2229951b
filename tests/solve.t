#!/bin/bash
# heft convert --target-size and the like: never over, near, monotone, the same for threads and processors, what the user fixed stays, replay by
# recipe, other containers, what is refused. Whether the files are better is tests/oracle/solve's.
. "$(dirname "$0")/lib.sh"
run() { "$heft" "$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null; }
size() { wc -c <"$1" | tr -d ' '; }
said() { sed -n "s/^		\"$1\": \([0-9.e+-]*\),\{0,1\}$/\1/p" "$dir/stdout" | head -n 1; } # KEY of "solution"

for target in 1500000 1811776 2229568 2670400 3071808 4400000; do
	run convert "$kjv" --target-size $target -q -f -o "$dir/a.gguf"
	n=$(size "$dir/a.gguf")
	[ "$n" -le $target ] && [ $((n * 1000)) -ge $((target * 995)) ]
	ok $? "$target bytes: $n" || shown "$dir/stderr"
done

# the sum never grows with the size
last=1e9 bad=0
for bits in 2.8 2.9 3 3.25 3.5 4 4.01 4.02 4.5 5 6 7 8 8.4 9 12 15; do
	run convert "$kjv" --target-bpw $bits -n --json
	awk -v a="$(said cost)" -v b="$last" -v bits="$(said bits_per_weight)" -v most=$bits 'BEGIN { exit !(a != "" && a <= b && bits <= most) }' || bad=$((bad + 1))
	last=$(said cost)
done
ok $bad "a larger size never loses more, and has no more bits than were asked for" || shown "$dir/stderr"

run convert "$kjv" --target-bpw 4.5 -q -o "$dir/one.gguf" -j 1
run convert "$kjv" --target-bpw 4.5 -q -o "$dir/two.gguf" -j 7 && HEFT_CPU=scalar run convert "$kjv" --target-bpw 4.5 -q -o "$dir/three.gguf"
cmp "$dir/one.gguf" "$dir/two.gguf" && cmp "$dir/one.gguf" "$dir/three.gguf"
ok $? "the same bytes for 1 and 7 threads and the scalar code"
run convert "$kjv" --target-bpw 4.5 -q -o "$dir/four.gguf" --save-recipe "$dir/r" && run convert "$kjv" --recipe "$dir/r" -q -o "$dir/five.gguf"
cmp "$dir/one.gguf" "$dir/five.gguf"
ok $? "the recipe that it saves makes the same file" || shown "$dir/stderr"
run convert "$kjv" --target-bpw 4.5 -n && grep -q '^blk.{l}.attn_v.weight -> ' "$dir/stdout" && ! [ -e Kjv-Llama-4.2M-IQ4_XS.gguf ]
ok $? "-n prints it and writes nothing" || shown "$dir/stdout"

run convert "$kjv" --target-bpw 4.5 --tensor-type 'attn_k=q8_0' --output-tensor-type q6_k -q -o "$dir/fixed.gguf" --save-recipe "$dir/r2"
grep -q '^blk.{l}.attn_k.weight -> q8_0$' "$dir/r2" && grep -q '^output.weight -> q6_k$' "$dir/r2"
ok $? "what the user says of tensors stands" || shown "$dir/r2"
run convert "$kjv" --target-bpw 5 --candidates q4_0,q5_0,q8_0 -q -o "$dir/legacy.gguf" --save-recipe "$dir/r3" && ! grep -q '_k' <(grep -e '-> ' "$dir/r3" | sed 's/.*-> //')
ok $? "--candidates" || shown "$dir/r3"
run convert "$kjv" --target-bpw 3 --imatrix "$kjv/imatrix.dat" -q -o "$dir/w.gguf" --save-recipe "$dir/r4" && grep -q -e '-> iq[23]' "$dir/r4"
ok $? "with an importance matrix smaller types are taken" || shown "$dir/r4"
run convert "$kjv" --target-bpw 4.5 --sample 20 -n && grep -q 'from 20 % of the rows, which makes' "$dir/stdout"
ok $? "--sample says how sure it is" || shown "$dir/stdout"
run convert "$kjv" --target-bpw 4.5 --sample 20 --json -n && awk -v d="$(said uncertainty)" -v c="$(said cost)" 'BEGIN { exit !(d > 0 && d < 0.1 * c) }'
ok $? "by a tenth at most here" || shown "$dir/stdout"
run convert "$kjv" --target-bpw 4.5 --effort high -q -o "$dir/high.gguf" && [ "$(size "$dir/high.gguf")" -le "$(size "$dir/one.gguf")" ]
ok $? "--effort high" || shown "$dir/stderr"

model "$dir/narrow" llama-narrow
run convert "$dir/narrow" --target-bpw 6 -n && grep -q q5_0 "$dir/stdout"
ok $? "rows that are no multiple of 256: types that fall back have the size that they fall back to" || shown "$dir/stderr"
model "$dir/moe" mixtral
run convert "$dir/moe" --target-bpw 4 -q -o "$dir/moe.gguf"
ok $? "a mixture of experts" || shown "$dir/stderr"
run convert "$dir/one.gguf" --target-bpw 3 --allow-requantize -q -o "$dir/again.gguf"
ok $? "from a GGUF" || shown "$dir/stderr"
run convert "$kjv" --target-size 2M --split-size 1M -q -o "$dir/split.gguf" && [ "$(cat "$dir"/split-*.gguf | wc -c)" -le 2000000 ] && [ "$(cat "$dir"/split-*.gguf | wc -c)" -ge 1990000 ]
ok $? "split: the parts together" || ls -l "$dir"/split*
run convert "$kjv" --to mlx --target-size 2.2M -q -o "$dir/mlx" --save-recipe "$dir/r5" && n=$(size "$dir/mlx/model.safetensors") && [ "$n" -le 2200000 ] && [ "$n" -ge 2189000 ]
ok $? "MLX: $n bytes" || shown "$dir/stderr"
run convert "$kjv" --recipe "$dir/r5" -q -o "$dir/mlx2" && cmp "$dir/mlx/model.safetensors" "$dir/mlx2/model.safetensors"
ok $? "and by its recipe" || shown "$dir/stderr"
# directories for GPU runtimes: what each module is stored as, of config.json and of the file
stored() { # MODULE SUFFIX: is there such a tensor in $dir/gpu?
	grep -qaF "\"$1$2\"" "$dir/gpu/model.safetensors"
}
alike() { # MODULE...: are all packed, or all 8-bit floats, or all as they were?
	local m s
	for s in .weight_packed .weight_scale .weight .qweight; do
		for m in "$@"; do
			if stored "$1" $s; then stored "$m" $s || return 1; else stored "$m" $s && return 1; fi
		done
	done
}
sets_alike() { # LAYERS: queries, keys and values, gate and up of each
	local l
	for l in $1; do
		alike model.layers.$l.self_attn.{q,k,v}_proj && alike model.layers.$l.mlp.{gate,up}_proj || return 1
	done
}
says_so() { # TO SIZE: steps are large in so small a model
	run convert "$kjv" --to "$1" --target-size "$2" -n && grep -q 'no choice that loses less comes nearer' "$dir/stdout"
}
for to in w4a16 w4a16-asym w8a8 fp8-dynamic fp8-block mxfp4a16 nvfp4a16 gptq; do
	bad=
	for target in 4500000 5000000 6000000 7500000; do
		rm -f "$dir/gpu.recipe"
		run convert "$kjv" --to $to --target-size $target -q -f -o "$dir/gpu" --save-recipe "$dir/gpu.recipe" && n=$(size "$dir/gpu/model.safetensors") && [ "$n" -le $target ] &&
			{ [ $((n * 1000)) -ge $((target * 995)) ] || says_so $to $target; } && sets_alike "0 1 2 3" && stored lm_head .weight && stored model.embed_tokens .weight || bad="$bad $target:$n"
	done
	[ -z "$bad" ]
	ok $? "--to $to: at most the size, near it, what runtimes fuse alike$bad" || shown "$dir/stderr"
	run convert "$kjv" --recipe "$dir/gpu.recipe" --strict -q -f -o "$dir/gpu2" && diff -r "$dir/gpu" "$dir/gpu2" >"$dir/stderr"
	ok $? "--to $to: by its recipe the same directory" || shown "$dir/stderr"
done
last=1e9 bad=0
for bits in 7.2 7.5 8 8.5 9 10 11 12 13 14 15; do
	run convert "$kjv" --to w4a16 --target-bpw $bits -n --json
	awk -v a="$(said cost)" -v b="$last" -v bits="$(said bits_per_weight)" -v most=$bits 'BEGIN { exit !(a != "" && a <= b && bits <= most && bits > 0.98 * most) }' || bad=$((bad + 1))
	last=$(said cost)
done
ok $bad "w4a16: a larger number of bits never loses more, and is not exceeded" || shown "$dir/stderr"
run convert "$kjv" --to w4a16 --target-bpw 8 -q -f -o "$dir/gpu" -j 1 && HEFT_CPU=scalar run convert "$kjv" --to w4a16 --target-bpw 8 -q -f -o "$dir/gpu2" -j 7 && diff -r "$dir/gpu" "$dir/gpu2" >"$dir/stderr"
ok $? "w4a16: the same for threads and processors" || shown "$dir/stderr"
run convert "$kjv" --to w4a16 --target-size 5M --tensor-type 'self_attn.[qkv]_proj=w8a16:32' --ignore layers.0.mlp -q -f -o "$dir/gpu" --save-recipe "$dir/r6" &&
	grep -q '^model.layers.{l}.self_attn.v_proj -> w8a16:32$' "$dir/r6" && grep -q '^keep model.layers.{l}.mlp.up_proj "as it is" when l in \[0' "$dir/r6"
ok $? "w4a16: what the user says of modules stands" || shown "$dir/stderr"
run convert "$kjv" --to w4a16 --target-size 5M --tensor-type q_proj=w8a16 -n
[ $? = 1 ] && grep -q 'are one matrix or layer to runtimes' "$dir/stderr"
ok $? "w4a16: but not of one matrix that is fused with others" || shown "$dir/stderr"
run convert "$kjv" --to w4a16 --target-size 5M --candidates keep,w4a16:64,bf16 -n && grep -q -e '-> w4a16:64' "$dir/stdout" && ! grep -q -e '-> w8a16' "$dir/stdout"
ok $? "w4a16: --candidates with groups of a size, and that stay" || shown "$dir/stderr"
run convert "$kjv" --to nvfp4a16 --target-size 5M --sample 30 -n && grep -q 'from 30 % of the rows' "$dir/stdout"
ok $? "nvfp4a16: --sample" || shown "$dir/stderr"
run convert "$dir/moe" --to w4a16 -n --json && all=$(sed -n 's/^	*"size": \([0-9]*\),$/\1/p' "$dir/stdout" | sort -n | tail -n 1)
run convert "$dir/moe" --to w4a16 --target-size $((all * 5 / 4)) -q -f -o "$dir/gpu" --save-recipe "$dir/r7" && [ "$(size "$dir/gpu/model.safetensors")" -le $((all * 5 / 4)) ] && bad=0 &&
	for l in 0 1; do
		alike model.layers.$l.block_sparse_moe.experts.{0,1,2,3}.w{1,2,3} && alike model.layers.$l.self_attn.{q,k,v}_proj && stored model.layers.$l.block_sparse_moe.gate .weight || bad=1
	done && [ $bad = 0 ]
ok $? "w4a16: the experts of a layer alike, routers as they are" || shown "$dir/stderr"
run convert "$dir/moe" --recipe "$dir/r7" -q -f -o "$dir/gpu2" && diff -r "$dir/gpu" "$dir/gpu2" >"$dir/stderr"
ok $? "and by its recipe" || shown "$dir/stderr"
run convert "$kjv" --fit '1.01G ctx=512' -n
[ $? = 1 ] && grep -q 'nothing is left for weights' "$dir/stderr"
ok $? "--fit: no room beside the cache" || shown "$dir/stderr"
run convert "$kjv" --fit '4G ctx=512 kv=q8_0' -n && grep -q 'the largest candidates fill' "$dir/stdout"
ok $? "--fit: more room than there is to fill" || shown "$dir/stderr"
run convert "$kjv" --target-bpw 20 -n && grep -q 'the largest candidates fill 8446272 bytes' "$dir/stdout"
ok $? "more than all candidates" || shown "$dir/stderr"

refused 1 'the smallest file that can be made of the candidates has' "too small" "$kjv" --target-size 1M -o "$dir/no"
refused 1 'of them what no candidate changes' "less than what stays" "$kjv" --target-size 10K -o "$dir/no"
refused 1 'is one type for all' "--pure" "$kjv" --target-size 2M --pure -o "$dir/no"
refused 1 'a size can be asked of' "a target of one size" "$kjv" --target-size 2M --to awq -o "$dir/no"
refused 1 'do not go into one directory' "a candidate of another family" "$kjv" --target-size 5M --to w4a16 --candidates keep,gptq -o "$dir/no"
refused 1 'the smallest file that can be made of the candidates has' "a directory too small" "$kjv" --target-size 3M --to w4a16 -o "$dir/no"
refused 1 'have room for all weights as they are' "a directory that needs no codes" "$kjv" --target-size 9M --to w4a16 -o "$dir/no"
refused 1 "no type 'q9'" "an unknown candidate" "$kjv" --target-size 2M --candidates q4_k,q9 -o "$dir/no"
refused 2 'do not go together' "--type" "$kjv" --target-size 2M -t q4_k -o "$dir/no"
refused 2 'say the same thing' "two sizes" "$kjv" --target-size 2M --target-bpw 4 -o "$dir/no"
refused 2 '--sample goes with' "--sample alone" "$kjv" --sample 10 -o "$dir/no"
"$heft" convert "$kjv" -t bf16 -q -o "$dir/bf16.gguf"
refused 1 'a stream is read once' "a stream" - --target-bpw 4 -o "$dir/no" <"$dir/bf16.gguf"
finish
