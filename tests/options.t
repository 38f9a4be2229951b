#!/bin/bash
# Options of heft convert that change which tensors are written, and how: --fuse-qkv, --fuse-gate-up-exps, --bigendian. That the files are
# those of the reference is compared in tests/oracle (options, families).
. "$(dirname "$0")/lib.sh"

convert() { # OUT ARGS...: the plan's tensors stay in OUT.plan
	local out=$dir/$1
	shift
	"$heft" convert "$@" -n --json -o "$out" 2>"$dir/log" | grep -o '{"name": "[^"]*", "shape"[^}]*}' >"$out.plan"
	"$heft" convert "$@" -f -q -o "$out" 2>"$dir/log"
}
refused() { # STATUS WORDS LABEL ARGS...
	local want=$1 words=$2 label=$3
	shift 3
	"$heft" convert "$@" -o "$dir/no.gguf" 2>"$dir/log"
	[ $? = "$want" ] && [ ! -e "$dir/no.gguf" ] && grep -qF -e "$words" "$dir/log"
	pass $? "refused: $label"
}
tensor() { # FILE NAME: its bytes
	local at
	at=$(grep -F "\"name\": \"$2\"," "$dir/$1.plan" | sed 's/.*"offset": \([0-9]*\), "size": \([0-9]*\),.*/\1 \2/')
	tail -c +$((${at% *} + 1)) "$dir/$1" | head -c "${at#* }"
}

convert apart.gguf "$kjv" -t f32; pass $? "apart"
convert fused.gguf "$kjv" -t f32 --fuse-qkv; pass $? "--fuse-qkv"
! grep -q 'attn_[qkv]\.' "$dir/fused.gguf.plan"; pass $? "no layer has the parts"
for l in 0 3; do
	for part in attn_q attn_k attn_v; do tensor apart.gguf blk.$l.$part.weight; done >"$dir/parts"
	[ -s "$dir/parts" ] && tensor fused.gguf blk.$l.attn_qkv.weight | cmp - "$dir/parts" >"$dir/log"; pass $? "layer $l: their bytes, one after another"
done
convert rule.gguf "$kjv" -t q4_k_m --fuse-qkv --tensor-type attn_qkv=q6_k && grep attn_qkv "$dir/rule.gguf.plan" | grep -vq '"type": "q6_k"'
[ $? = 1 ]; pass $? "--tensor-type means the tensor that is written"
"$heft" convert - --config "$kjv" -t f32 --fuse-qkv -o - <"$kjv/model.safetensors" 2>"$dir/log" >"$dir/stream.gguf" && cmp "$dir/stream.gguf" "$dir/fused.gguf"
pass $? "from a stream to a stream"
refused 1 "--fuse-qkv and --fuse-gate-up-exps: only a checkpoint" "a GGUF" "$dir/apart.gguf" --fuse-qkv
refused 1 "only a checkpoint" "a checkpoint again" "$kjv" --to safetensors --fuse-gate-up-exps
refused 1 "only a checkpoint" "no family" "$kjv" --arch none --fuse-qkv
model "$dir/moe" mixtral-narrow
refused 1 "'llama' has no tensor for both" "experts of an architecture without the name" "$dir/moe" --fuse-gate-up-exps
convert dense.gguf "$kjv" -t f32 --fuse-gate-up-exps && cmp "$dir/dense.gguf" "$dir/apart.gguf" >"$dir/log"; pass $? "no experts, nothing to do"

convert little.gguf "$kjv" -t f16; pass $? "little-endian"
convert big.gguf "$kjv" -t f16 --bigendian; pass $? "--bigendian"
[ "$(head -c 8 "$dir/big.gguf" | od -An -tx1 | tr -d ' ')" = 4747554600000003 ]; pass $? "the version's high byte is first, not the magic's"
cmp "$dir/little.gguf.plan" "$dir/big.gguf.plan" >"$dir/log"; pass $? "tensors lie at the same places"
tensor little.gguf blk.1.ffn_up.weight >"$dir/parts"
tensor big.gguf blk.1.ffn_up.weight | dd conv=swab 2>/dev/null | cmp - "$dir/parts" >"$dir/log"; pass $? "F16: pairs of bytes are turned"
tensor little.gguf output_norm.weight | od -An -v -tx1 | awk '{ for (i = 1; i <= NF; i += 4) print $(i + 3) $(i + 2) $(i + 1) $i }' >"$dir/parts"
tensor big.gguf output_norm.weight | od -An -v -tx1 | awk '{ for (i = 1; i <= NF; i += 4) print $i $(i + 1) $(i + 2) $(i + 3) }' | cmp - "$dir/parts" >"$dir/log"
pass $? "F32: fours"
convert one.gguf "$kjv" -t f16 --bigendian -j 1 && cmp "$dir/one.gguf" "$dir/big.gguf" >"$dir/log"; pass $? "one thread"
"$heft" convert "$kjv" -t f16 --bigendian -q -o - 2>"$dir/log" | cmp - "$dir/big.gguf" >"$dir/log"; pass $? "standard output"
convert bf16.gguf "$kjv" --bigendian && convert bf16-little.gguf "$kjv" && tensor bf16.gguf output.weight >"$dir/parts"
tensor bf16-little.gguf output.weight | cmp - "$dir/parts" >"$dir/log"; pass $? "BF16 stays as the reference has it"
"$heft" info "$dir/big.gguf" >"$dir/log" 2>&1; [ $? != 0 ] && grep -q E217 "$dir/log"; pass $? "heft does not read it"
refused 1 "q4_k has no big-endian form" "packed types" "$kjv" --bigendian -t q4_k_s --output-tensor-type q4_k
refused 1 "--bigendian goes with --to gguf" "another container" "$kjv" --bigendian --to safetensors
finish
