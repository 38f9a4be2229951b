#!/bin/bash
# heft's files against the recorded digests of the reference's (tests/digests/models.txt, written by tests/record).
# Each checkpoint is made by mkmodel; one run of heft writes every type that belongs to one --via.
set -u
cd "$(dirname "$0")/.." || exit 1
heft=${HEFT:-./heft} build=${BUILD:-build}
digests=tests/digests/models.txt
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0 failed=0
ways="auto bf16 f16 f32"
[ -z "${HEFT_SANITIZE:-}" ] || ways=auto # each takes seconds there

ok() { # PASSED LABEL
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" || { echo "not ok $n - $2"; failed=1; }
}

one_run() { # MODEL VIA TYPE...
	local model=$1 via=$2 args=(${pre:+--pre "$pre"}) t got want
	shift 2
	for t in "$@"; do
		[ "$t" = - ] && args+=(-t "$via" -o "$dir/out/-.gguf") || args+=(-t "$t" -o "$dir/out/$t.gguf")
	done
	mkdir -p "$dir/out"
	"$heft" convert "$dir/$model" --via "$via" "${args[@]}" >"$dir/log" 2>&1 || sed 's/^/# /' "$dir/log" | tail -n 3
	for t in "$@"; do
		want=$(sed -n "s/^$model $via $t //p" "$digests")
		got=$("$build"/tests/helper/gguf_digest "$dir/out/$t.gguf" 2>&1)
		[ "$got" = "$want" ]
		ok $? "$model $via $t"
		[ "$got" = "$want" ] || printf '# got  %s\n# want %s\n' "$got" "$want"
	done
	rm -rf "$dir/out"
}

one_model() { # MODEL TOKENIZER MKMODEL-ARGS...
	local model=$1 tokenizer=$2 preset=$3 via
	shift 3
	"$build"/tests/helper/mkmodel "$preset" "$dir/$model" "$@" >/dev/null || { ok 1 "mkmodel $model"; return; }
	cp testdata/"$tokenizer"/tokenizer* "$dir/$model/"
	[ "$tokenizer" = kjv-bpe ] && pre=qwen2 || pre=
	for via in $ways; do
		# shellcheck disable=SC2046
		set -- $(awk -v m="$model" -v v="$via" '$1 == m && $2 == v { print $3 }' "$digests")
		[ $# -eq 0 ] || one_run "$model" "$via" "$@"
	done
	rm -rf "${dir:?}/$model"
}

while read -r line; do
	case $line in '' | '#'*) continue;; esac
	# shellcheck disable=SC2086
	one_model $line
done <tests/digests/models.list
[ $n -gt 100 ] # fewer: the digests are not there
ok $? "$n digests compared"
echo "1..$n"
exit $failed
