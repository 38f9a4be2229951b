# Sourced: same_bytes PROGRAM...: each writes every type of two checkpoints; the files must be equal. A program may be "qemu-x86 PATH".
same_bytes() {
	local dir src t first p i n=0 failed=0
	dir=$(mktemp -d) || return 1
	"${BUILD:-build}"/tests/helper/mkmodel mixtral-narrow "$dir/moe" dtype=f16 >/dev/null && cp testdata/kjv-llama/tokenizer* "$dir/moe/" || return 1
	for src in testdata/kjv-llama "$dir/moe"; do
		for t in q2_k q3_k_s q3_k_m q3_k_l q4_k_s q4_k_m q5_k_s q5_k_m q6_k q8_0 q4_0 q4_1 q5_0 q5_1 f16 bf16 f32; do
			i=0
			for p in "$@"; do
				# shellcheck disable=SC2086
				$p convert "$src" -t $t -f -o "$dir/$i.gguf" >/dev/null 2>"$dir/err" || sed 's/^/# /' "$dir/err"
				i=$((i + 1))
			done
			first=0
			for ((i = 1; i < $#; i++)); do cmp "$dir/0.gguf" "$dir/$i.gguf" >&2 || first=1; done
			n=$((n + 1))
			[ $first = 0 ] && [ -s "$dir/0.gguf" ] && echo "ok $n - $(basename "$src") $t: same bytes" || { echo "not ok $n - $(basename "$src") $t: same bytes"; failed=1; }
			rm -f "$dir"/*.gguf
		done
	done
	i=0
	for p in "$@"; do
		# shellcheck disable=SC2086
		$p convert testdata/kjv-llama -t q6_k --effort high --imatrix testdata/kjv-llama/imatrix.dat --tensor-type-file tests/every-type.txt \
			-f -o "$dir/$i.gguf" >/dev/null 2>"$dir/err" || sed 's/^/# /' "$dir/err"
		i=$((i + 1))
	done
	n=$((n + 1)) first=0
	for ((i = 1; i < $#; i++)); do cmp "$dir/0.gguf" "$dir/$i.gguf" >&2 || first=1; done
	[ $first = 0 ] && [ -s "$dir/0.gguf" ] && echo "ok $n - every type with --effort high: same bytes" || { echo "not ok $n - every type with --effort high: same bytes"; failed=1; }
	echo "1..$n"
	rm -rf "$dir"
	return $failed
}
