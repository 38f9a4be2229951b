#!/bin/bash
# The same bytes for every number of threads, to a file and to a pipe, one output at a time and several from one read.
. "$(dirname "$0")/lib.sh"

model "$dir/moe" mixtral-narrow shards=3
model "$dir/fp8" llama hidden=320 ffn=448 head_dim=80 layers=2 shards=2 fp8=1
for src in "$kjv" "$dir/moe" "$dir/fp8"; do
	for t in q4_k_m q2_k q6_k q5_1 q8_0 f16; do
		rm -f "$dir"/*.gguf
		for j in 1 2 7; do
			"$heft" convert "$src" -t $t -j $j -f -o "$dir/$j.gguf" >/dev/null 2>"$dir/stderr" || shown "$dir/stderr"
		done
		cmp "$dir/1.gguf" "$dir/2.gguf" && cmp "$dir/1.gguf" "$dir/7.gguf"
		ok $? "$(basename "$src") $t: 1, 2 and 7 threads" || continue
		"$heft" convert "$src" -t $t -j 7 -o - 2>"$dir/stderr" >"$dir/pipe.gguf" || shown "$dir/stderr"
		cmp "$dir/1.gguf" "$dir/pipe.gguf"
		ok $? "$(basename "$src") $t: standard output"
	done
done
"$heft" convert "$kjv" -j 3 -f -t q4_k_m -o "$dir/a.gguf" -t q8_0 -o "$dir/b.gguf" >/dev/null 2>"$dir/stderr" || shown "$dir/stderr"
"$heft" convert "$kjv" -j 1 -f -t q4_k_m -o "$dir/a1.gguf" >/dev/null 2>&1
"$heft" convert "$kjv" -j 1 -f -t q8_0 -o "$dir/b1.gguf" >/dev/null 2>&1
cmp "$dir/a.gguf" "$dir/a1.gguf" && cmp "$dir/b.gguf" "$dir/b1.gguf"
ok $? "two outputs from one read"

# --effort high: a file with every type, weighed by a matrix that lacks entries for two tensors
high() { # FILE ARGS: HEFT_CPU may be set
	local to=$1
	rm -f "$1"
	shift
	"$heft" convert "$kjv" -t q6_k -f -q --effort high --imatrix "$kjv/imatrix.dat" --tensor-type-file tests/every-type.txt "$@" -o "$to" 2>"$dir/stderr" || shown "$dir/stderr"
}
high "$dir/high.gguf" -j 1
for j in 2 7; do
	high "$dir/now.gguf" -j $j && cmp "$dir/high.gguf" "$dir/now.gguf"
	ok $? "--effort high: 1 and $j threads"
done
for cpu in scalar avx2 neon; do
	HEFT_CPU=$cpu high "$dir/now.gguf" && cmp "$dir/high.gguf" "$dir/now.gguf"
	ok $? "--effort high: HEFT_CPU=$cpu"
done
finish
