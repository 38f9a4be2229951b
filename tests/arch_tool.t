#!/bin/bash
# heft arch: the text of a family, and a family file tried on a checkpoint.
. "$(dirname "$0")/lib.sh"
tool=arch

sed -n '/<summary>all of them/,/<.details>/p' README.md | sed -n '/^```$/,/^```$/p' | sed '1d;$d' >"$dir/readme"
"$heft" arch list | diff "$dir/readme" - >"$dir/log"
ok $? 'the table in README is what list prints' || shown "$dir/log"
says 0 '^fn(negexp)  *-exp(x)  *[a-z]' 'and the functions that rows name' list
says 0 '"name": "llama",' 'as JSON' list --json
grep -A 12 '"name": "mamba",' "$dir/log" | tr -d ' \n' | grep -q '"functions":\["fn(negexp)"\]'
ok $? 'with the functions of each family' || shown "$dir/log"
printf 'arch heir\nfrom HeirForCausalLM\nbase llama\n' >"$dir/heir.arch"
says 0 '^heir .* no  *HeirForCausalLM' 'what goes back in a base does not in its heir' list --arch "$dir/heir.arch"
says 0 '^arch qwen3$' 'show prints a family' show qwen3
says 0 '^abstract text$' 'with all that it inherits' show qwen3
says 1 "no family 'quen3'" 'show of an unknown family' show quen3
says 2 'one FAMILY' 'show takes one' show
says 2 'json goes with arch list, test; not with show' 'and prints no JSON' show qwen3 --json

says 0 'llama takes 39 of 39 tensors.*it fits' 'test of what config.json asks for' test "$kjv"
says 0 '^ *1  llama_names.arch:.*map lm_head' 'rows with the tensors that they took' test "$kjv"
says 1 'blk.0.attn_q_norm.weight' 'a tensor that is missing' test src/arch/qwen3.arch "$kjv"
says 1 'nearest built-in family is llama, which has rows for 39' 'the nearest family' test src/arch/qwen3.arch "$kjv"
"$heft" arch show llama | sed 's/^map lm_head.*//; s/^base .*//; s/^abstract .*//' >"$dir/my.arch"
says 1 'lm_head.weight: family llama has no row for it' 'a tensor that no row takes' test "$dir/my.arch" "$kjv"
says 1 'takes 38 of 39' 'is counted' test "$dir/my.arch" "$kjv"
"$heft" arch show llama | sed 's/^base .*//; s/^abstract .*//' >"$dir/my.arch"
says 0 'it fits' 'what show prints without its bases is a family' test "$dir/my.arch" "$kjv"
printf 'arch x\nmap a -> \n' >"$dir/bad.arch"
says 1 'bad.arch:2' 'a file that cannot be read' test "$dir/bad.arch" "$kjv"
says 1 'cannot open' 'a file that is not there' test "$dir/none.arch" "$kjv"
"$heft" convert "$kjv" -q -o "$dir/a.gguf"
says 1 'has its names already' 'a GGUF file' test "$dir/a.gguf"
says 2 'arch goes with arch list, show; not with test' 'no --arch' test --arch x "$kjv"

"$heft" arch test src/arch/qwen3.arch "$kjv" --json >"$dir/json"
grep -q '"fits": false' "$dir/json" && grep -q '"tensor": null' "$dir/json" && grep -q '"nearest": "llama"' "$dir/json"
ok $? 'JSON has it all' || shown "$dir/json"
finish
