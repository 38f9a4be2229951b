#!/bin/bash
# heft pack and unpack at the command's level: there and back, read in place, the same bytes for every number of threads, what is refused.
. "$(dirname "$0")/lib.sh"

run() { "$heft" "$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null; }
refused() { # CODE LABEL ARGS...: status 1, one line with the code, no output
	local code=$1 label=$2
	shift 2
	run "$@"
	[ $? -eq 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -q "\[$code\]" "$dir/stderr" && [ ! -e "$dir/no" ]
	ok $? "$label" || shown "$dir/stderr"
}

model "$dir/m" mixtral-narrow shards=3
shards=("$dir"/m/model-*.safetensors)
run convert "$dir/m" -t q4_k_m -o "$dir/plain.gguf"
run convert "$dir/m" -t f16 -o "$dir/f16.gguf"
mkdir "$dir/keep" && cp "${shards[@]}" "$dir/keep/"

run pack "${shards[@]}" && [ "$(wc -l <"$dir/stderr")" -eq ${#shards[@]} ] && [ ! -s "$dir/stdout" ]
ok $? "several files in one command" || shown "$dir/stderr"
packed=$(cat "$dir"/m/*.zst | wc -c) bytes=$(cat "${shards[@]}" | wc -c)
[ "$packed" -lt $((bytes * 72 / 100)) ]
ok $? "bf16 weights take less than 72 % ($packed of $bytes)"
if command -v zstd >/dev/null; then
	zstd -q -t "$dir"/m/*.zst 2>"$dir/stderr"
	ok $? "zstd finds nothing wrong with them" || shown "$dir/stderr"
	cat "${shards[@]}" | zstd -q -c >"$dir/by-zstd"
	[ "$packed" -lt "$(wc -c <"$dir/by-zstd")" ]
	ok $? "they are smaller than what zstd makes at its own level"
else
	skip "zstd tests them" "no zstd"
	skip "zstd is beaten" "no zstd"
fi
rm "${shards[@]}"
run convert "$dir/m" -t q4_k_m -f -o "$dir/packed.gguf" && cmp "$dir/plain.gguf" "$dir/packed.gguf"
ok $? "a folder of packed shards is a model: the same GGUF" || shown "$dir/stderr"
run convert "${shards[1]}.zst" -t q4_k_m -f -o "$dir/packed.gguf" && cmp "$dir/plain.gguf" "$dir/packed.gguf"
ok $? "one packed shard leads to all" || shown "$dir/stderr"
run info "$dir/m" --json && run check "$dir/m" --deep
ok $? "info and check read it" || shown "$dir/stdout"
run unpack "$dir"/m/*.zst && for s in "${shards[@]}"; do cmp "$s" "$dir/keep/$(basename "$s")" || exit 1; done
ok $? "unpack gives the files back" || shown "$dir/stderr"

for f in plain f16; do
	run pack "$dir/$f.gguf" --json && grep -q '"packed_bytes"' "$dir/stdout" && run unpack "$dir/$f.gguf.zst" -o "$dir/again.gguf" -f &&
		cmp "$dir/$f.gguf" "$dir/again.gguf"
	ok $? "$f.gguf: there and back" || shown "$dir/stderr"
done
for j in 1 2 7; do run pack "$dir/f16.gguf" -j $j -f -o "$dir/j$j"; done
cmp "$dir/j1" "$dir/j2" && cmp "$dir/j1" "$dir/j7" && cmp "$dir/j1" "$dir/f16.gguf.zst"
ok $? "the same bytes with 1, 2 and 7 threads"
"$heft" pack "$dir/f16.gguf" -o - 2>"$dir/stderr" | cmp - "$dir/j1"
ok $? "to standard output" || shown "$dir/stderr"

refused E105 "an output that exists stays" pack "$dir/f16.gguf"
refused E106 "nor is an input replaced" pack "$dir/f16.gguf" -f -o "$dir/f16.gguf"
refused E506 "what is packed is not packed again" pack "$dir/j1" -o "$dir/no"
refused E201 "only models are packed" pack "$kjv/config.json" -o "$dir/no"
refused E201 "only what is packed is unpacked" unpack "$dir/f16.gguf" -o "$dir/no"
refused E506 "a name without .zst" unpack "$dir/j1"
head -c 100000 "$dir/j1" >"$dir/cut"
refused E203 "a packed file that is cut off" unpack "$dir/cut" -o "$dir/no"
refused E203 "is no model either" convert "$dir/cut" -t q8_0 -o "$dir/no"
{ head -c 50000 "$dir/j1"; printf 'X'; tail -c +50002 "$dir/j1"; } >"$dir/changed"
refused E214 "a changed byte" unpack "$dir/changed" -o "$dir/no"
run pack "$dir/f16.gguf" "$dir/plain.gguf" -o "$dir/no"
[ $? -eq 2 ] && [ ! -e "$dir/no" ]
ok $? "one output for two files is misuse"
for f in testdata/pack/*; do
	case $f in
	*/good-*) run unpack "$f" -o "$dir/good" -f && run convert "$f" --arch none --to safetensors -t keep -f -o "$dir/kept"; ok $? "$(basename "$f")";;
	*) refused "$(expr "$(basename "$f")" : 'bad-\(E[0-9]*\)-')" "$(basename "$f")" unpack "$f" -o "$dir/no";;
	esac
done
mkdir "$dir/limit"
(trap '' XFSZ; ulimit -f 20; exec "$heft" pack "$dir/f16.gguf" -o "$dir/limit/x") >/dev/null 2>"$dir/stderr"
[ $? -eq 1 ] && grep -q '\[E10[34]\]' "$dir/stderr" && [ -z "$(ls -A "$dir/limit")" ]
ok $? "a disk that is full leaves nothing" || shown "$dir/stderr"
finish
