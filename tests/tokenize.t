#!/bin/bash
# heft info --tokenize: ids of the checkpoint's own tokenizer. That they are the libraries' ids is what tests/oracle/tokenizers compares.
. "$(dirname "$0")/lib.sh"

is_ids() { # TEXT IDS LABEL
	"$heft" info "$dir/m" --tokenize "$1" >"$dir/log" 2>&1 && [ "$(head -n 1 "$dir/log")" = "$2" ]
	ok $? "$3" || shown "$dir/log"
}

mkdir "$dir/m" && cp "$kjv"/{config.json,model.safetensors,tokenizer.model} "$dir/m/"
is_ids 'In the beginning é' '1056 261 1813 1225 1994 198 172' 'SentencePiece, with bytes for what it has no piece for'
is_ids ' ' '' 'a blank alone'
printf 'In the beginning' | "$heft" info "$dir/m" --tokenize - --json >"$dir/log" && grep -q '1056' "$dir/log" && grep -q '▁beg' "$dir/log"
ok $? 'from standard input, as JSON' || shown "$dir/log"
rm "$dir/m/tokenizer.model" && cp testdata/kjv-bpe/* "$dir/m/"
is_ids 'In the beginning' '40 77 260 483 268 979' 'byte-level BPE'
"$heft" info "$dir/m" --tokenize $'\xff' >"$dir/log" 2>&1
[ $? = 1 ] && grep -q 'not UTF-8' "$dir/log"
ok $? 'bytes that are no UTF-8' || shown "$dir/log"
rm -f "$dir"/m/tokenizer* "$dir"/m/vocab* "$dir"/m/merges*
"$heft" info "$dir/m" --tokenize x >"$dir/log" 2>&1
[ $? = 1 ] && grep -q 'no tokenizer files' "$dir/log"
ok $? 'no tokenizer' || shown "$dir/log"
"$heft" convert "$kjv" -q -o "$dir/a.gguf" && ! "$heft" info "$dir/a.gguf" --tokenize x >"$dir/log" 2>&1 && grep -q E40 "$dir/log"
ok $? 'a GGUF file is refused' || shown "$dir/log"
"$heft" info - --tokenize - </dev/null >"$dir/log" 2>&1
[ $? = 2 ]
ok $? 'standard input cannot be both'
finish
