#!/bin/bash
# heft convert --target-size and the like: never over, near, monotone, the same for threads and processors, what the user fixed stays, replay by
# recipe, other containers, what is refused. Whether the files are better is tests/oracle/solve's.
. "$(dirname "$0")/lib.sh"
run() { "$heft" "$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null; }
size() { wc -c <"$1" | tr -d ' '; }
said() { sed -n "s/^		\"$1\": \([0-9.e+-]*\),\{0,1\}$/\1/p" "$dir/stdout" | head -n 1; } # KEY of "solution"

targets="1500000 1811776 2229568 2670400 3071808 4400000" sizes="2.8 2.9 3 3.25 3.5 4 4.01 4.02 4.5 5 6 7 8 8.4 9 12 15"
[ -z "${HEFT_SANITIZE:-}" ] || targets="1811776 4400000" sizes="2.8 4 4.01 8.4" # each takes seconds there
for target in $targets; do
	run convert "$kjv" --target-size $target -q -f -o "$dir/a.gguf"
	n=$(size "$dir/a.gguf")
	[ "$n" -le $target ] && [ $((n * 1000)) -ge $((target * 995)) ]
	ok $? "$target bytes: $n" || shown "$dir/stderr"
done

# the sum never grows with the size
last=1e9 bad=0
for bits in $sizes; do
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
run convert "$kjv" --to mlx --target-size 2.2M --tensor-type 'down_proj=8bit' -q -f -o "$dir/mlx" --save-recipe "$dir/r6" && grep -q '^model.layers.{l}.mlp.down_proj -> 8bit$' "$dir/r6"
ok $? "MLX: what the user says of modules stands" || shown "$dir/stderr"
free=$(beside_weights)
run convert "$kjv" --fit "$((free + 2200000)) ctx=512" -q -o "$dir/room.gguf" && run convert "$kjv" --target-size 2200000 -q -o "$dir/size.gguf" && cmp "$dir/room.gguf" "$dir/size.gguf"
ok $? "--fit: the size that is left" || shown "$dir/stderr"
run convert "$kjv" --to mlx --fit "$((free + 2200000)) ctx=512" -q -f -o "$dir/mlx2" && run convert "$kjv" --to mlx --target-size 2200000 -q -f -o "$dir/mlx" && diff -r "$dir/mlx" "$dir/mlx2"
ok $? "--fit: for MLX, too" || shown "$dir/stderr"
run convert "$kjv" --fit '1.01G ctx=512' -n
[ $? = 1 ] && grep -q 'nothing is left for weights' "$dir/stderr"
ok $? "--fit: no room beside the cache" || shown "$dir/stderr"
target() { run convert "$kjv" --fit "$1" -n --json && sed -n 's/^		"target": \([0-9]*\),$/\1/p' "$dir/stdout"; }
n=$(target 'mac 8G ctx=512') && [ -n "$n" ] && [ "$n" = "$(target "$((2 ** 33 * 2 / 3 + 2 ** 30)) ctx=512")" ] # two thirds, and no 1 GiB that stays free
ok $? "--fit: a Mac: $n bytes" || shown "$dir/stderr"
n=$(target '24G ctx=512') && [ -n "$n" ] && [ "$n" = "$(target 'ctx=512 24G')" ]
ok $? "--fit: words in any order" || shown "$dir/stderr"
run convert "$kjv" --fit 'mac 8 ctx=4M kv=f32' -n; [ $? = 1 ] && grep -q "'mac 8 ctx=4M kv=f32': cache and computing take" "$dir/stderr"
ok $? "--fit: no room on a Mac" || shown "$dir/stderr"
run convert "$kjv" --fit 'pc 8G' -n; [ $? = 1 ] && [ "$(wc -l <"$dir/stderr")" = 1 ]
ok $? "--fit: a machine that is none" || shown "$dir/stderr"
run convert "$kjv" --fit '4G ctx=512 kv=q8_0' -n && grep -q 'the largest candidates fill' "$dir/stdout"
ok $? "--fit: more room than there is to fill" || shown "$dir/stderr"
run convert "$kjv" --target-bpw 20 -n && grep -q 'the largest candidates fill 8446272 bytes' "$dir/stdout"
ok $? "more than all candidates" || shown "$dir/stderr"

refused 1 'the smallest file that can be made of the candidates has' "too small" "$kjv" --target-size 1M -o "$dir/no"
refused 1 'of them what no candidate changes' "less than what stays" "$kjv" --target-size 10K -o "$dir/no"
refused 1 'is one type for all' "--pure" "$kjv" --target-size 2M --pure -o "$dir/no"
refused 1 'a size can be asked of' "a target of one size" "$kjv" --target-size 2M --to awq -o "$dir/no"
refused 1 "no type 'q9'" "an unknown candidate" "$kjv" --target-size 2M --candidates q4_k,q9 -o "$dir/no"
refused 2 'do not go together' "--type" "$kjv" --target-size 2M -t q4_k -o "$dir/no"
refused 2 'say the same thing' "two sizes" "$kjv" --target-size 2M --target-bpw 4 -o "$dir/no"
refused 2 '--sample goes with' "--sample alone" "$kjv" --sample 10 -o "$dir/no"
"$heft" convert "$kjv" -t bf16 -q -o "$dir/bf16.gguf"
refused 1 'a stream is read once' "a stream" - --target-bpw 4 -o "$dir/no" <"$dir/bf16.gguf"
finish
