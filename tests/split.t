#!/bin/bash
# heft split and merge: parts and back, the same tensors and keys, names, what is refused.
. "$(dirname "$0")/lib.sh"
run() { "$heft" "$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null; }
sum() { "$heft" cat "$1" '*' --as raw | cksum; }
count() { ls "$dir/$1"-*-of-* 2>/dev/null | wc -l; }

"$heft" convert "$kjv" -t q4_0 -o "$dir/plain.gguf" -q
run meta set "$dir/plain.gguf" 'x.unknown=json:["a","b"]' x.more=u64:7 -o "$dir/m.gguf"
run split "$dir/m.gguf" --split-tensors 7 && [ "$(count m)" -eq 6 ] && [ "$(sum "$dir/m-00002-of-00006.gguf")" = "$(sum "$dir/m.gguf")" ]
ok $? "seven tensors a part, named after the source, the same tensors" || shown "$dir/stderr"
for i in 1 2 6; do
	at=$(grep -abo 'split\.[a-z.]*' "$dir/m-0000$i-of-00006.gguf" | head -n 3 | sed 's/.*://' | paste -sd ' ' -)
	[ "$at" = "split.no split.tensors.count split.count" ]
	ok $? "part $i: the keys of llama-gguf-split, in its order" || echo "# $at"
done
run merge "$dir/m-00003-of-00006.gguf" -o "$dir/back.gguf" && cmp "$dir/m.gguf" "$dir/back.gguf"
ok $? "any part leads to the file that it was, unknown keys included" || shown "$dir/stderr"
"$heft" merge "$dir/m-00001-of-00006.gguf" -o - -q 2>"$dir/stderr" | cmp - "$dir/m.gguf"
ok $? "to standard output" || shown "$dir/stderr"
run split "$dir/m.gguf" --split-size 1M -o "$dir/s" && [ "$(count s)" -eq 3 ] && run merge "$dir/s-00001-of-00003.gguf" -o "$dir/back.gguf" -f && cmp "$dir/m.gguf" "$dir/back.gguf"
ok $? "by size, and back" || shown "$dir/stderr"
run split "$dir/m.gguf" --split-tensors 20 --no-tensor-first-split -o "$dir/n.gguf" && [ "$(count n)" -eq 3 ] && [ "$(wc -c <"$dir/n-00001-of-00003.gguf")" -lt 100000 ]
ok $? "--no-tensor-first-split" || shown "$dir/stderr"
run split "$dir/m-00001-of-00006.gguf" --split-size 1M -o "$dir/t" && cmp "$dir/s-00002-of-00003.gguf" "$dir/t-00002-of-00003.gguf"
ok $? "a set is cut anew" || shown "$dir/stderr"
run split "$dir/m.gguf" --split-tensors 7 -n --json -f && grep -q '"parts": *6' "$dir/stdout"
ok $? "-n --json" || shown "$dir/stdout"

model "$dir/st" llama layers=2 shards=3
run meta set "$dir/st" note=str:kept
run merge "$dir/st" -o "$dir/one.safetensors" && [ "$(sum "$dir/one.safetensors")" = "$(sum "$dir/st")" ] && [ "$("$heft" meta get "$dir/one.safetensors" note)" = kept ]
ok $? "safetensors: one file of a directory" || shown "$dir/stderr"
run split "$dir/one.safetensors" --split-tensors 5 && [ -s "$dir/one.safetensors.index.json" ] && [ "$("$heft" meta get "$dir/one-00002-of-00005.safetensors" note)" = kept ]
ok $? "parts of it, with their index and metadata" || shown "$dir/stderr"
mv "$dir/one.safetensors" "$dir/was.safetensors"
run merge "$dir/one.safetensors.index.json" -o "$dir/again.safetensors" && cmp "$dir/was.safetensors" "$dir/again.safetensors"
ok $? "and back, by the index" || shown "$dir/stderr"

tool=split
says 1 'E105' "parts that exist" "$dir/m.gguf" --split-tensors 7
says 1 'are one part.*E506' "one part" "$dir/m.gguf" --split-size 1G
says 2 'standard output is one' "parts to standard output" "$dir/m.gguf" -o -
says 2 'neither GGUF' "another format" testdata/pytorch/good-zip.pt -o "$dir/x"
tool=merge
says 2 'missing' "no output" "$dir/m-00001-of-00006.gguf"
rm "$dir/m-00004-of-00006.gguf"
says 1 'E210' "a part that is missing" "$dir/m-00001-of-00006.gguf" -o "$dir/no.gguf"
finish
