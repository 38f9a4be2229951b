#!/bin/bash
# heft quantize: llama-quantize's operands and options. What the bytes are is compared with the reference in tests/oracle/options.
. "$(dirname "$0")/lib.sh"
case $heft in /*) ;; *) heft=$PWD/$heft ;; esac
digest=$PWD/$build/tests/helper/gguf_digest
"$heft" convert "$kjv" -t bf16 -o "$dir/in.gguf" 2>/dev/null && "$heft" convert "$dir/in.gguf" --split-tensors 12 -o "$dir/set.gguf" 2>/dev/null
model "$dir/moe" mixtral-narrow && "$heft" convert "$dir/moe" -t bf16 -o "$dir/moe.gguf" 2>/dev/null
cd "$dir" || exit 1

pass() { ok "$1" "$2" || shown log; }
quantize() { "$heft" quantize "$@" >out 2>log; }
types() { quantize --dry-run "$@"; awk '$1 ~ /^(blk|output|token)/ { for (i = 2; i < NF; i++) if ($i ~ /^(f32|f16|bf16)$/) { print $1, $(i + 1); next } }' out; }
refused() { # STATUS WORDS LABEL ARGS...
	local want=$1 words=$2 label=$3
	shift 3
	rm -f no.gguf
	quantize "$@"
	[ $? = "$want" ] && [ ! -e no.gguf ] && grep -qF -e "$words" log && [ "$(grep -vc "^run 'heft" log)" = 1 ]
	pass $? "refused: $label"
}

quantize in.gguf q4.gguf Q4_K_M 2; pass $? "IN OUT TYPE NTHREADS"
"$heft" convert in.gguf -t q4_k_m -o convert.gguf 2>log
[ "$("$digest" q4.gguf)" = "$("$digest" convert.gguf)" ]; pass $? "the tensors and keys of heft convert"
"$heft" info convert.gguf --json | grep -q . && ! cmp -s q4.gguf convert.gguf; pass $? "in another order"
for t in 15 q4_K q4_k_m; do
	quantize in.gguf again.gguf $t && cmp -s q4.gguf again.gguf; pass $? "TYPE $t"
done
mkdir -p sub && cp in.gguf sub/
quantize sub/in.gguf Q4_K_M && cmp -s sub/ggml-model-Q4_K_M.gguf q4.gguf; pass $? "an output named by its type, beside the input"
quantize sub/in.gguf 15 3 && cmp -s sub/ggml-model-Q4_K.gguf q4.gguf; pass $? "and by the short name of a number"
echo old >again.gguf
quantize in.gguf again.gguf q4_k && cmp -s q4.gguf again.gguf; pass $? "an output that exists is replaced"
quantize --dry-run in.gguf IQ4_XS && grep -q iq4_xs out && grep -q 'nothing was written' out; pass $? "--dry-run"
"$heft" quantize in.gguf - q4_k_m 2>log >again.gguf && cmp -s q4.gguf again.gguf; pass $? "to standard output"
"$heft" quantize - again.gguf q4_k_m <in.gguf 2>log && cmp -s q4.gguf again.gguf; pass $? "from standard input"
quantize "$OLDPWD/$kjv" again.gguf q4_k_m; pass $? "from a Hugging Face directory"
[ "$("$digest" q4.gguf)" = "$("$digest" again.gguf)" ]; pass $? "the same tensors and keys"
quantize in.gguf out.gguf q8_0 --json && grep -q '"tool": *"quantize"' out; pass $? "--json names the tool"
quantize in.gguf high.gguf q8_0 --effort high; pass $? "--effort high"

types in.gguf q4_k_m --pure | grep -v ' f32$' | grep -qv ' q4_k$'; [ $? = 1 ]; pass $? "--pure"
types in.gguf q4_k_m --leave-output-tensor | grep -q '^output.weight bf16'; pass $? "--leave-output-tensor"
types in.gguf q4_k_m --output-tensor-type Q8_0 --token-embedding-type q5_1 >types
grep -q '^output.weight q8_0' types && grep -q '^token_embd.weight q5_1' types; pass $? "--output-tensor-type, --token-embedding-type"
printf 'attn_v=q8_0\n\tattn_q=q5_0 ' >rules
types in.gguf q4_k_m --tensor-type attn_q=q4_1 --tensor-type-file rules >types
grep -q 'blk.1.attn_v.weight q8_0' types && grep -q 'blk.1.attn_q.weight q4_1' types; pass $? "--tensor-type-file behind --tensor-type"
types in.gguf q4_k_m --tensor-type-file=rules --tensor-type attn_q=q4_1 | grep -q 'blk.1.attn_q.weight q5_0'; pass $? "and before it"
types moe.gguf mxfp4_moe | grep -q 'blk.0.ffn_up_exps.weight mxfp4'; pass $? "MXFP4_MOE"

quantize in.gguf copy.gguf COPY && quantize copy.gguf again.gguf copy && cmp -s copy.gguf again.gguf; pass $? "COPY"
quantize in.gguf pruned.gguf q8_0 --prune-layers 2,0,2; pass $? "--prune-layers"
"$heft" info pruned.gguf --json >out; grep -A3 '"llama.block_count"' out | grep -q 2; pass $? "two layers are left"
[ "$(types in.gguf copy --prune-layers 0,2 | sed -n 's/\.attn_v.*//p' | tr '\n' ' ')" = "blk.0 blk.1 " ]; pass $? "they move up"
quantize in.gguf kv.gguf COPY --override-kv general.name=str:Other --override-kv llama.context_length=int:-99 --override-kv a.flag=bool:true --override-kv a.x=float:0.5
"$heft" info kv.gguf --json >out; grep -q '"Other"' out; pass $? "--override-kv"
grep -A3 '"llama.context_length"' out | grep -q 99; pass $? "an int without its sign"
quantize set-00001-of-00004.gguf parts.gguf q4_k_m --keep-split && [ "$(ls parts-0000?-of-00004.gguf | wc -l)" = 4 ] && [ ! -e parts.gguf ]; pass $? "--keep-split"
quantize parts-00001-of-00004.gguf joined.gguf COPY && [ "$("$digest" joined.gguf)" = "$("$digest" q4.gguf)" ]; pass $? "the parts are the model"
quantize in.gguf again.gguf q4_k_m --max-buffer-size 1 && cmp -s again.gguf q4.gguf; pass $? "--max-buffer-size"

refused 2 "IN.gguf is missing" "no operands"
refused 2 "TYPE is missing" "no type" in.gguf
refused 2 "TYPE is missing behind 'no.gguf'" "an output and no type" in.gguf no.gguf
refused 2 "did you mean 'q4_k_m'" "a type without its marks" in.gguf no.gguf Q4KM
refused 2 "did you mean 'q4_k_" "a type of another tool" in.gguf no.gguf Q4_K_XL
refused 2 "did you mean 'q4_k'" "a recipe for tensors" in.gguf no.gguf q4_0 --tensor-type attn_q=q4_k_m
refused 2 "does not know 'q8_k'" "a type that no weights are stored in" in.gguf no.gguf q4_0 --tensor-type attn_q=q8_k
refused 2 "does not know 'i32'" "whole numbers for weights" in.gguf no.gguf q4_0 --tensor-type attn_q=i32
refused 2 "did you mean 'q4_k_m'" "a wrong type" in.gguf no.gguf q4_km
refused 2 "is not a number of threads" "a wrong number of threads" in.gguf no.gguf q4_0 two
refused 2 "one operand too many" "too much" in.gguf q4_0 2 more
refused 2 "--output-tensor-type does not know" "a recipe for one tensor" in.gguf no.gguf q4_0 --output-tensor-type q4_k_m
refused 2 "is not a list of layers" "no layers" in.gguf no.gguf q4_0 --prune-layers 1,x
refused 1 "cannot open 'nothing'" "a file of rules that is not there" in.gguf no.gguf q4_0 --tensor-type-file nothing
refused 1 "E106" "the input as output" in.gguf ./in.gguf q4_0
refused 1 "no layer 4" "a layer that is not there" in.gguf no.gguf q4_0 --prune-layers 1,4
refused 1 "no layer would be left" "all layers" in.gguf no.gguf q4_0 --prune-layers 0,1,2,3
refused 1 "matches no tensor" "a pattern without a match" in.gguf no.gguf q4_0 --tensor-type attn_vv=q8_0
refused 1 "do not go together" "the output matrix left and given a type" in.gguf no.gguf q4_0 --leave-output-tensor --output-tensor-type q8_0
refused 1 "copy changes no tensor's type" "types for COPY" in.gguf no.gguf copy --tensor-type attn=q8_0
refused 1 "is not KEY=TYPE:VALUE" "an override without a type" in.gguf no.gguf q4_0 --override-kv general.name=x
refused 1 "a whole number" "an override that is too large" in.gguf no.gguf q4_0 --override-kv a=int:4294967296
refused 1 "E502" "a quantized input" q4.gguf no.gguf q8_0
refused 1 "do not fit q4_k" "an embedding type that its rows do not fit" moe.gguf no.gguf q4_0 --token-embedding-type q4_k
"$heft" convert in.gguf -t copy --no-tensor-first-split -q -o bare.gguf 2>log && [ -e bare-00002-of-00002.gguf ] &&
	quantize bare-00001-of-00002.gguf bare.gguf COPY && [ "$("$digest" bare.gguf)" = "$("$digest" in.gguf)" ]
pass $? "--no-tensor-first-split: metadata alone in the first part"
refused 1 "cannot be split" "parts on standard output" set-00001-of-00004.gguf - q4_0 --keep-split
finish
