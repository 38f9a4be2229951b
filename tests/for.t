#!/bin/bash
# heft convert --for mac: types that Metal and ARM are quick with, f16 for bf16 where the values allow it. heft info --for "mac 16G": does it fit.
. "$(dirname "$0")/lib.sh"

plan() { # ARGS...: "NAME FROM TO" of each tensor to $dir/plan, the whole to $dir/log
	"$heft" convert "$@" -n --json -o "$dir/no.gguf" >"$dir/log" 2>&1 || return 1
	grep -o '{"name": "[^"]*", "shape"[^}]*}' "$dir/log" | sed 's/.*"name": "\([^"]*\)".*"from": "\([^"]*\)", "type": "\([^"]*\)".*/\1 \2 \3/' >"$dir/plan"
	[ -s "$dir/plan" ]
}
types() { cut -d' ' -f3 "$dir/plan" | sort -u | tr '\n' ' '; }
only() { # TYPES ARGS...: the plan has these types and no others
	local want=$1
	shift
	plan "$@" && [ "$(types)" = "$want " ] || { types | sed 's/^/# types: /'; return 1; }
}
poke() { # MODEL TENSOR ELEMENT ELEMENT-BYTES OCTAL...: puts a number into a safetensors file
	local model=$1 name=$2 at=$3 size=$4 offset
	shift 4
	offset=$("$heft" info "$model" --arch none --json | sed -n "s/.*\"name\": \"$name\".*\"offset\": \([0-9]*\).*/\1/p")
	[ -n "$offset" ] || return 1
	# shellcheck disable=SC2059
	printf "$(printf '\\%s' "$@")" | dd of="$model/model.safetensors" bs=1 seek=$((offset + at * size)) conv=notrunc 2>/dev/null
}
whole() { # FILE: no number that is none
	"$heft" check "$1" --deep --arch none >"$dir/log" 2>&1
}

model "$dir/m" llama
model "$dir/narrow" llama-narrow
model "$dir/wide" llama dtype=f32

# ---- what -t stands for
only "f32 q4_k q6_k" "$dir/m" --for mac; pass $? "no -t: q4_k_m"
grep -q '"why": "recipe q4_k_m, for mac"' "$dir/log"; pass $? "and why says so"
"$heft" convert "$dir/m" --for mac -q -o "$dir/a.gguf" && "$heft" convert "$dir/m" -t q4_k_m -q -o "$dir/b.gguf" && cmp "$dir/a.gguf" "$dir/b.gguf" >"$dir/log"
pass $? "the bytes are those of -t q4_k_m"
for t in auto bf16 f16; do
	only "f16 f32" "$dir/m" --for mac -t $t; pass $? "-t $t: f16"
done
only "bf16 f32" "$dir/m" -t bf16; pass $? "without --for it is bf16"
plan "$dir/m" --for mac -t q5_1 && ! grep -q ' q5_1$' "$dir/plan" && grep -q ' q5_k$' "$dir/plan" && grep -q 'recipe q5_k_m, for mac in place of q5_1' "$dir/log"
pass $? "-t q5_1: q5_k_m"
plan "$dir/m" --for mac -t tq1_0 && ! grep -q ' tq1_0$' "$dir/plan" && grep -q ' tq2_0$' "$dir/plan"; pass $? "-t tq1_0: tq2_0, the same numbers"
for t in q4_0 q4_k_m q5_k_m q6_k q8_0 iq4_nl; do
	plan "$dir/m" --for mac -t $t && cp "$dir/plan" "$dir/mac" && plan "$dir/m" -t $t && cmp "$dir/mac" "$dir/plan" >"$dir/log"; pass $? "-t $t stays what it is"
done
"$heft" convert "$dir/m" --for MAC -t bf16 -q -o "$dir/f16.gguf" 2>"$dir/log" && "$heft" convert "$dir/m" -t f16 -q -o "$dir/f16-too.gguf" && cmp "$dir/f16.gguf" "$dir/f16-too.gguf" >"$dir/log"
pass $? "the f16 file is that of -t f16"

# ---- single tensors
plan "$dir/narrow" -t q4_k_m && grep -q ' q5_[01]$' "$dir/plan"; pass $? "rows that fit no K-quant fall back to what ARM has no quick kernel for"
plan "$dir/narrow" --for mac -t q4_k_m && ! grep -q ' q[45]_[01]$' "$dir/plan" && grep -q ' q8_0$' "$dir/plan" && grep -q 'for mac not q5_0' "$dir/log"
pass $? "for mac they become q8_0, and why says so"
"$heft" convert "$dir/narrow" --for mac -t q4_k_m -q -o "$dir/narrow.gguf" 2>"$dir/log" && "$heft" diff "$dir/narrow" "$dir/narrow.gguf" --min-sqnr 15 >"$dir/log" 2>&1; pass $? "and are written"
plan "$dir/m" --for mac --tensor-type ffn_down=q5_0 --tensor-type ffn_up=bf16 && [ "$(grep -c ffn_down "$dir/plan")" = "$(grep -c 'ffn_down.* q5_0$' "$dir/plan")" ] &&
	[ "$(grep -c ffn_up "$dir/plan")" = "$(grep -c 'ffn_up.* bf16$' "$dir/plan")" ]
pass $? "what a rule names stays"
refused 1 "would be nvfp4 (rule 'ffn_up=nvfp4'), which Metal cannot multiply" "nvfp4" "$dir/m" --for mac --tensor-type ffn_up=nvfp4 -o "$dir/no"
refused 1 "tq2_0 it can" "tq1_0 by a rule" "$dir/m" --for mac --tensor-type ffn_up=tq1_0 -o "$dir/no"

# ---- values that F16 cannot hold
cp -r "$dir/m" "$dir/big" && poke "$dir/big" model.layers.1.mlp.up_proj.weight 77 2 164 111; pass $? "a bf16 of 999424"
plan "$dir/big" --for mac -t auto && [ "$(grep ' bf16$' "$dir/plan")" = "blk.1.ffn_up.weight bf16 bf16" ]; pass $? "that tensor stays bf16, the others do not"
grep -q '"why": "bf16, not f16: a value of 999424 is beyond its 65504"' "$dir/log"; pass $? "and why says so"
"$heft" convert "$dir/big" --for mac -t auto -o "$dir/big.gguf" 2>"$dir/said" && grep -q 'blk.1.ffn_up.weight.*999424' "$dir/said"; pass $? "the summary names it" || shown "$dir/said"
whole "$dir/big.gguf"; pass $? "no infinity in the file"
"$heft" cat "$dir/big.gguf" blk.1.ffn_up.weight >"$dir/x" 2>"$dir/log" && grep -q 999424 "$dir/x"; pass $? "the value is there"
"$heft" convert "$dir/big" --for mac -t auto -j 1 -q -o "$dir/one.gguf" && cmp "$dir/one.gguf" "$dir/big.gguf" >"$dir/log"; pass $? "one thread, the same bytes"
refused 1 "a value of 999424" "with --strict" "$dir/big" --for mac -t auto --strict -o "$dir/no"
"$heft" convert "$dir/big" -t bf16 -q -o "$dir/big-bf16.gguf" && plan "$dir/big-bf16.gguf" --for mac -t auto && [ "$(grep ' bf16$' "$dir/plan")" = "blk.1.ffn_up.weight bf16 bf16" ]
pass $? "a GGUF of bf16, too"
cp -r "$dir/m" "$dir/edge" && poke "$dir/edge" model.layers.1.mlp.up_proj.weight 77 2 177 107 && only "f16 f32" "$dir/edge" --for mac -t auto; pass $? "65280 fits"
cp -r "$dir/wide" "$dir/wide-big" && poke "$dir/wide-big" model.layers.2.mlp.down_proj.weight 5 4 000 044 164 111
plan "$dir/wide-big" --for mac -t f16 && [ "$(grep ffn_down "$dir/plan" | grep -v ' f16$')" = "blk.2.ffn_down.weight f32 f32" ]; pass $? "of an f32 source it stays f32"
"$heft" convert "$dir/wide-big" --for mac -t q8_0 -q -o "$dir/wide.gguf" && whole "$dir/wide.gguf"; pass $? "nor is there an f16 on the way to q8_0"

# ---- what does not go together
refused 1 "--for mac chooses types, and copy changes none" "-t copy" "$dir/m" --for mac -t copy -o "$dir/no"
refused 1 "--for mac chooses the types of a GGUF model" "another container" "$dir/m" --for mac --to mlx -o "$dir/no"
refused 2 "--for" "another machine" "$dir/m" --for pc -o "$dir/no"
"$heft" convert "$dir/m" -t bf16 -q -o "$dir/bf16.gguf"; "$heft" convert - --for mac -t f16 -o "$dir/no" <"$dir/bf16.gguf" 2>"$dir/log"
[ $? = 1 ] && [ ! -e "$dir/no" ] && grep -q 'a stream is read once: give a file' "$dir/log"; pass $? "refused: a stream whose values are to be looked at"
"$heft" convert - --for mac -q -o "$dir/stream.gguf" <"$dir/bf16.gguf" 2>"$dir/log"; pass $? "not one that is quantized throughout"
only "f32 q4_k q6_k" "$dir/a.gguf" --for mac; pass $? "a quantized GGUF keeps its types"

# ---- does it fit
tool=info
says 0 "mac 16G: fits" "a small model fits" "$dir/a.gguf" --for "mac 16G"
says 0 "weights are held as they are stored" "assumptions are printed" "$dir/a.gguf" --for "mac 16G"
says 0 "two thirds of the memory" "also those about the machine" "$dir/a.gguf" --for "mac 16G"
"$mkmodel" llama-70b "$dir/70b" sparse=1 >"$dir/log" && cp "$kjv"/tokenizer* "$dir/70b/"
says 0 "mac 128G: does not fit" "70B in bf16 does not" "$dir/70b" --for "mac 128G"
says 0 "no context fits" "no context does" "$dir/70b" --for "mac 128G"
says 0 "mac 192G: fits" "but on a larger machine" "$dir/70b" --for "mac 192G"
field() { "$heft" info "$1" --for "$2" --json 2>"$dir/log" | sed -n "s/^\t\t\"$3\": \(.*[^,]\),*\$/\1/p"; }
[ "$(field "$dir/a.gguf" "mac 16G" working_set)" = 11453246122 ]; pass $? "JSON: the working set of 16 GB, as Metal says it"
[ "$(field "$dir/70b" "mac 192G ctx=8k" cache)" = $((2 * 8192 * 8 * 128 * 2 * 80)) ]; pass $? "JSON: the cache of 8192 tokens in f16"
[ "$(field "$dir/70b" "mac 192G ctx=8k kv=q8_0" cache)" = $((2 * 8192 * 8 * 128 * 34 / 32 * 80)) ]; pass $? "in q8_0"
[ "$(field "$dir/70b" "mac 192G" fits)" = true ] && [ "$(field "$dir/70b" "mac 64G" fits)" = false ]; pass $? "JSON: fits"
n=$(field "$dir/70b" "mac 192G" most_context); [ "$(field "$dir/70b" "mac 192G ctx=$n" fits)" = true ] && [ "$(field "$dir/70b" "mac 192G ctx=$((n + 256))" fits)" != true ]
pass $? "the longest context that is told is the longest ($n)"
says 0 "an eighth of the weights" "no family: an allowance" "$dir/m" --arch none --for "mac 16G"
says 1 "no machine 'toaster'" "an unknown machine" "$dir/a.gguf" --for toaster
says 1 "'foo=3' is not known" "an unknown word" "$dir/a.gguf" --for "mac 16G foo=3"
for with in "--save-recipe $dir/r" "--target-size 1G" "--target-bpw 4" "--fit 24G"; do
	# shellcheck disable=SC2086
	"$heft" convert "$dir/m" --for mac $with -n >"$dir/log" 2>&1; [ $? = 2 ] && [ "$(grep -c 'leave' "$dir/log")" = 1 ] && ! [ -e "$dir/r" ]; pass $? "--for with ${with%% *} is refused"
done
finish
