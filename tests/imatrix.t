#!/bin/bash
# Importance matrices at the command's level, without the reference tools: what a run does with one, what it refuses, what `heft imatrix` prints.
. "$(dirname "$0")/lib.sh"
im=$kjv/imatrix.dat
mkdir "$dir/out"

convert() { # OUT ARGS...
	local out=$1
	shift
	"$heft" convert "$kjv" -f -o "$out" "$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null
}
# refused LABEL CODE PATTERN ARGS...: one line with the code, status 1, nothing written
refused() {
	local label=$1 code=$2 pattern=$3 rc
	shift 3
	convert "$dir/out/x" "$@"
	rc=$?
	[ $rc = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -q "\[$code\]" "$dir/stderr" && grep -Eq -- "$pattern" "$dir/stderr" && [ -z "$(ls -A "$dir/out")" ]
	ok $? "$label" || { echo "# status $rc"; shown "$dir/stderr"; }
	rm -f "$dir"/out/*
}
pass() { ok "$1" "$2" || shown "$dir/stderr"; }

runs() {
	local t
	convert "$dir/plain.gguf" -t q4_k_m
	pass $? "without a matrix"
	for t in 1 2 7; do
		convert "$dir/$t.gguf" -t q4_k_m --imatrix "$im" -j $t
		pass $? "with one, $t threads"
	done
	cmp -s "$dir/1.gguf" "$dir/2.gguf" && cmp -s "$dir/1.gguf" "$dir/7.gguf"
	ok $? "the same bytes for 1, 2 and 7 threads"
	"$heft" diff "$dir/plain.gguf" "$dir/1.gguf" --max-abs 0 >/dev/null 2>&1
	[ $? = 1 ]
	ok $? "others than without a matrix"
	grep -q 'weighs 28 of 30' "$dir/stderr" && grep -q ' output.weight ' "$dir/stderr" && grep -q ' token_embd.weight ' "$dir/stderr"
	pass $? "the summary counts the entries and lists what has none"
	for t in file=imatrix.dat dataset=calibration.txt entries_count=28 chunks_count=164; do
		"$heft" info "$dir/1.gguf" --metadata 2>&1 | grep -Eq "quantize.imatrix.${t%=*} .*${t#*=}"
		ok $? "key quantize.imatrix.${t%=*}"
	done
	grep -aq "$kjv" "$dir/1.gguf"
	[ $? = 1 ]
	ok $? "no folder's name is written"
	convert "$dir/a.gguf" -t q4_k_m --imatrix "$im" -o "$dir/b.gguf" -t q2_k
	convert "$dir/c.gguf" -t q2_k --imatrix "$im"
	cmp -s "$dir/a.gguf" "$dir/1.gguf" && cmp -s "$dir/b.gguf" "$dir/c.gguf"
	pass $? "several outputs of one read are those of several runs"
	"$heft" convert "$kjv" -t q4_k_m --imatrix "$im" -o - 2>"$dir/stderr" | cmp -s - "$dir/1.gguf"
	pass $? "to a pipe"
	convert "$dir/d.gguf" -t q4_k_m --imatrix "$im" --include-weights attn_ --include-weights ffn_
	convert "$dir/e.gguf" -t q4_k_m --imatrix "$im" --exclude-weights blk.0.
	"$heft" diff "$dir/d.gguf" "$dir/1.gguf" --max-abs 0 -q && ! "$heft" diff "$dir/e.gguf" "$dir/1.gguf" --max-abs 0 -q >/dev/null 2>&1
	ok $? "including all is all, excluding some is less"
	grep -q 'weighs 21 of 30' "$dir/stderr"
	pass $? "the summary counts what is left"
}

needs() {
	refused "a type that needs a matrix" E511 "blk\..*q2_k .*--imatrix" -t q2_k_s
	refused "one whose entry is left out" E511 "blk\.[0-3]\.attn_q.*no entry.*--tensor-type" -t q2_k_s --imatrix "$im" --exclude-weights attn_q
	convert "$dir/out/x" -t q2_k_s -n
	[ $? = 0 ] && grep -q 'needs an importance matrix' "$dir/stdout" && [ -z "$(ls -A "$dir/out")" ]
	pass $? "a plan of it is a warning"
	convert "$dir/f.gguf" -t q2_k_s --imatrix "$im"
	pass $? "it is written with one"
}

refusals() {
	local f
	for f in testdata/imatrix/bad-*; do
		refused "$(basename "$f")" E510 . -t q4_k_m --imatrix "$f"
	done
	refused "no such file" E101 nowhere -t q4_k_m --imatrix "$dir/nowhere"
	refused "another model's" E510 "another model" -t q4_k_m --imatrix testdata/imatrix/good-two.dat
	"$mkmodel" llama-narrow "$dir/m" >/dev/null && cp "$kjv"/tokenizer* "$dir/m/"
	"$heft" convert "$dir/m" -t q8_0 --imatrix "$im" -o "$dir/out/x" >"$dir/stdout" 2>"$dir/stderr"
	[ $? = 1 ] && grep -q 'columns.*E510' "$dir/stderr" && [ -z "$(ls -A "$dir/out")" ]
	pass $? "another width"
	refused "included part that no name has" E504 "nothing_like" -t q4_k_m --imatrix "$im" --include-weights nothing_like
	refused "excluded part that no name has" E504 "nothing_like" -t q4_k_m --imatrix "$im" --exclude-weights nothing_like
	refused "nothing left" E504 "no entry" -t q4_k_m --imatrix "$im" --exclude-weights blk
	refused "not for safetensors" E506 "gguf" --to safetensors -t f16 --imatrix "$im"
}

tool() {
	"$heft" imatrix info "$im" "$kjv" >"$dir/stdout" 2>"$dir/stderr"
	[ $? = 0 ] && grep -q '28 entries, 164 chunks' "$dir/stdout" && grep -q '28 of 30' "$dir/stdout"
	pass $? "info"
	"$heft" imatrix info testdata/imatrix/good-experts.gguf | grep -q 'never called: 1$'
	ok $? "info lists experts that were never called"
	"$heft" imatrix info testdata/imatrix/good-one.dat "$kjv" >"$dir/stdout" 2>"$dir/stderr"
	[ $? = 1 ] && grep -q 'for no tensor' "$dir/stdout"
	pass $? "info fails where it is another model's"
	"$heft" imatrix info "$im" "$kjv" --json >"$dir/json" && grep -q '"without_entry": \["output.weight", "token_embd.weight"\]' "$dir/json"
	ok $? "info --json"
	"$heft" imatrix convert "$im" -o "$dir/x.gguf" -q && "$heft" imatrix convert "$dir/x.gguf" -o "$dir/x.dat" -q &&
		convert "$dir/g.gguf" -t q4_k_m --imatrix "$dir/x.gguf" && convert "$dir/h.gguf" -t q4_k_m --imatrix "$dir/x.dat"
	pass $? "convert there and back"
	"$heft" diff "$dir/g.gguf" "$dir/1.gguf" --max-abs 0 -q && "$heft" diff "$dir/h.gguf" "$dir/1.gguf" --max-abs 0 -q
	ok $? "the same bytes come of both"
	"$heft" imatrix convert "$im" -o "$dir/x.dat" 2>"$dir/stderr"
	[ $? = 1 ] && grep -q E105 "$dir/stderr"
	pass $? "convert replaces nothing without -f"
	"$heft" imatrix merge "$im" "$im" -o "$dir/m.gguf" 2>"$dir/stderr" && "$heft" imatrix info "$dir/m.gguf" | grep -q '328 chunks'
	pass $? "merge"
	"$heft" imatrix merge "$im" 2>/dev/null
	[ $? = 2 ] && ! "$heft" imatrix info "$im" -o "$dir/z" 2>/dev/null && ! "$heft" imatrix frob "$im" 2>/dev/null
	ok $? "misuse"
}

runs
needs
refusals
tool
finish
