#!/bin/bash
# scripts/bench on a model of a few MB: its tables have their rows, and numbers in them. What the numbers are is not tested.
. "$(dirname "$0")/lib.sh"
if [ "${HEFT_SANITIZE:-}" ]; then # what it tests is the script
	skip "bench" "sanitizer build"
	finish
fi
[ -x "$build/tests/bench/kernels" ] || { echo "Bail out! $build/tests/bench/kernels is missing: run make units"; exit 1; }

bench() { # PART TYPES
	HEFT=$heft BUILD=$build ORACLE=none BENCH_DIR=$dir BENCH_ROUNDS=1 BENCH_MODEL=llama BENCH_SLOW=llama BENCH_TYPES=$2 BENCH_TARGETS="fp8 awq" \
		scripts/bench "$1" >"$dir/stdout" 2>"$dir/stderr" </dev/null
}
rows() { grep -cE "$1" "$dir/stdout"; }

bench types "Q8_0 Q4_K IQ2_XXS" && [ "$(rows '^\| (Q8_0|Q4_K|Q4_K, imatrix|IQ2_XXS, imatrix) \| [0-9.]+ \|.* [0-9.]+ \|$')" = 4 ]
ok $? "a row for each type, with and without an importance matrix" || shown "$dir/stderr"
grep -q 'none is missing' "$dir/stderr"
ok $? "a missing reference is told" || shown "$dir/stderr"
grep -qE '^The longest sync of an output took [0-9.]+ s\.$' "$dir/stdout"
ok $? "syncs are told apart" || shown "$dir/stdout"
model "$dir/m" llama && "$heft" convert "$dir/m" -t q8_0 -o "$dir/m.gguf" --json 2>/dev/null | grep -q '"sync_seconds": *[0-9]'
ok $? "a report says how long the disk took"
bench limits "F16 Q4_K" && [ "$(rows '^\| (F16|Q4_K|Q4_K, imatrix) \|( [0-9.]+ \|){4}$')" = 3 ]
ok $? "bytes moved and the encoding's part of the time" || shown "$dir/stderr"
bench lora "" && [ "$(rows '^\| (BF16|Q8_0|Q4_K_M) \|( [0-9.]+ \|){5}$')" = 3 ]
ok $? "what adapters cost" || shown "$dir/stderr"
bench gpu "" && [ "$(rows '^\| (fp8|awq) \|( [0-9.]+ \|){4}$')" = 2 ] && grep -q '^bench: awq: none or the libraries' "$dir/stderr"
ok $? "layouts for GPU runtimes, and that the libraries are missing" || shown "$dir/stderr"
BENCH_COREML_PYTHON=none BENCH_COREML="2 96" bench coreml "" && [ "$(rows '^\| (int8|int4|palette4) \|( [0-9.]+ \|){3}$')" = 3 ] && grep -q '^bench: coreml: none is missing' "$dir/stderr"
ok $? "packages of Core ML, and that coremltools is missing" || shown "$dir/stderr"
! bench types "Q8_0" 2>/dev/null || ! ls "$dir"/heft-bench.* >/dev/null 2>&1
ok $? "nothing is left behind"
finish
