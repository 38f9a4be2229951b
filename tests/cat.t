#!/bin/bash
# heft cat: values as text, bytes, arrays and JSON; ranges, patterns, streams; what is refused.
. "$(dirname "$0")/lib.sh"
set -o pipefail
tool=cat
src=$kjv/model.safetensors
norm=model.norm.weight emb=model.embed_tokens.weight
run() { "$heft" cat "$@" >"$dir/stdout" 2>"$dir/stderr"; }
bytes() { # SHELL-ARGUMENTS...: of the file that the tool's own reader calls a tensor, as od shows them
	od -An -v -t x1 "$@"
}

"$heft" convert "$kjv" -t q4_k -o "$dir/q4.gguf" -q && "$heft" convert "$kjv" -t f32 -o "$dir/f32.gguf" -q
# the last tensor of a file without padding: its bytes are the file's last
run "$src" '*' --as raw
n=$(wc -c <"$dir/stdout") all=$(wc -c <"$src")
tail -c "$n" "$src" | cmp - "$dir/stdout" && [ "$n" -lt "$all" ] && [ $((all - n)) -lt 20000 ]
ok $? "raw bytes of all tensors are the file's data" || shown "$dir/stderr"

run "$src" $norm --as raw -t f32 && cp "$dir/stdout" "$dir/norm.f32" && run "$dir/f32.gguf" output_norm.weight --as raw && cmp "$dir/stdout" "$dir/norm.f32"
ok $? "values in f32 are those of the converted file" || shown "$dir/stderr"
run "$src" $norm --as npy && [ "$(head -c 6 "$dir/stdout" | tail -c 5)" = NUMPY ] && tail -c 1024 "$dir/stdout" | cmp - "$dir/norm.f32" &&
	[ $(($(wc -c <"$dir/stdout") - 1024)) = 128 ]
ok $? "an array of NumPy: 128 bytes, then the values" || shown "$dir/stderr"
run "$dir/stdout" '*' --as raw </dev/null
cp "$dir/stdout" "$dir/empty"; run "$src" $norm --as npy; cp "$dir/stdout" "$dir/a.npy"
run "$dir/a.npy" '*' --as raw && cmp "$dir/stdout" "$dir/norm.f32"
ok $? "and the same are read from it" || shown "$dir/stderr"
run "$src" $norm && [ "$(wc -l <"$dir/stdout")" -eq 1 ] && [ "$(wc -w <"$dir/stdout")" -eq 256 ] &&
	tr ' ' '\n' <"$dir/stdout" >"$dir/words" && od -An -v -w4 -t f4 "$dir/norm.f32" | tr -d ' ' |
	paste - "$dir/words" | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-6 * ($1 < 0 ? -$1 : $1)) exit 1 }'
ok $? "text: a row is a line, its words are the values" || shown "$dir/stderr"
run "$src" $norm --head 3 && [ "$(wc -w <"$dir/stdout")" -eq 3 ] && [ "$(cat "$dir/stdout")" = "$(head -n 3 "$dir/words" | paste -sd ' ' -)" ]
ok $? "--head" || shown "$dir/stderr"
run "$src" $emb --as raw && cp "$dir/stdout" "$dir/emb" && run "$src" $emb --as raw --rows 3:5 && head -c 2560 "$dir/emb" | tail -c 1024 | cmp - "$dir/stdout"
ok $? "--rows 3:5" || shown "$dir/stderr"
run "$src" $emb --rows :2 && [ "$(wc -l <"$dir/stdout")" -eq 2 ] && run "$src" 'model.layers.0.*norm*' --head 2 && [ "$(grep -c '^# ' "$dir/stdout")" -eq 2 ]
ok $? "--rows :2; several tensors by a pattern, each with a line of its own before it" || shown "$dir/stdout"
run "$dir/q4.gguf" token_embd.weight --as raw --head 512 && [ "$(wc -c <"$dir/stdout")" -eq 288 ]
ok $? "stored blocks" || shown "$dir/stderr"
run "$dir/q4.gguf" token_embd.weight --as raw -t f32 --rows 1:2 && cp "$dir/stdout" "$dir/row" && run "$dir/q4.gguf" token_embd.weight --as raw -t f32 --head 300 &&
	tail -c 176 "$dir/stdout" | cmp - <(head -c 176 "$dir/row")
ok $? "values of a range that ends inside a block" || shown "$dir/stderr"
# shellcheck disable=SC2002
cat "$dir/q4.gguf" | "$heft" cat - 'blk.*' --as raw -t f16 >"$dir/a" 2>"$dir/stderr"; run "$dir/q4.gguf" 'blk.*' --as raw -t f16; cmp "$dir/stdout" "$dir/a"
ok $? "from a stream" || shown "$dir/stderr"
"$heft" convert "$kjv" -t f32 -o - -q | "$heft" cat - token_embd.weight --head 1 >"$dir/stdout" 2>"$dir/stderr"
[ "${PIPESTATUS[*]}" = "0 0" ]
ok $? "what follows in a stream is read too: its writer ends well" || shown "$dir/stderr"
run "$src" $norm $emb --head 2 --json && grep -q '"values": *\[' "$dir/stdout" && [ "$(grep -c '"name"' "$dir/stdout")" -eq 2 ]
ok $? "--json" || shown "$dir/stdout"
"$heft" cat "$src" '*' 2>"$dir/stderr" | head -n 1 >/dev/null
[ $? -ne 0 ] && [ ! -s "$dir/stderr" ]
ok $? "a reader that goes away ends it, silently" || shown "$dir/stderr"

says 1 'did you mean .model.norm.weight.* \[E504' "a name that is none" "$src" model.norm.wieght
says 1 'E504' "a pattern that matches nothing" "$src" 'x*'
says 1 'blocks of 256.*E207' "part of a block" "$dir/q4.gguf" token_embd.weight --as raw --head 10
says 1 'E207' "rows that are not there" "$src" $emb --rows 5:99999
says 2 'write it like' "rows that are none" "$src" $emb --rows 5
says 2 'together' "--head and --rows" "$src" $emb --rows 5:6 --head 2
says 2 'together' "--json and --as" "$src" $emb --as raw --json
says 2 'did you mean\|only' "a form that is none" "$src" $emb --as csv
says 2 '' "no tensor" "$src"
finish
