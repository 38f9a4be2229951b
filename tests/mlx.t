#!/bin/bash
# Directories for MLX: what is in them, that they are the same for any number of threads and from every instruction set, that they are read back, that
# GGUF's codes stay what they are, what is refused. That bytes and logits are those of mlx-lm is compared in tests/oracle/mlx.
. "$(dirname "$0")/lib.sh"

pass() { ok "$1" "$2" || shown "$dir/log"; }
to() { "$heft" convert "$1" --to mlx -q -f -o "$2" "${@:3}" 2>"$dir/log"; }
refused() { # STATUS WORDS LABEL ARGS...
	local want=$1 words=$2 label=$3
	shift 3
	"$heft" convert "$@" -o "$dir/no" 2>"$dir/log"
	[ $? = "$want" ] && [ ! -e "$dir/no" ] && grep -qF -e "$words" "$dir/log" && { [ "$want" != 1 ] || [ "$(wc -l <"$dir/log")" = 1 ]; }
	pass $? "refused: $label"
}
header() { LC_ALL=C head -c 100000 "$dir/$1/model.safetensors" | tr '{' '\n'; }
# has DIR NAME DTYPE SHAPE: a tensor
has() { header "$1" | LC_ALL=C grep -aA1 "\"$2\":" | LC_ALL=C grep -aq "\"dtype\":\"$3\",\"shape\":\[$4\]"; }
lacks() { ! header "$1" | LC_ALL=C grep -aq "\"$2\":"; }
# bytes FILE NAME: a tensor's
bytes() {
	perl -e 'open F, "<:raw", shift; read F, $n, 8; $n = unpack "Q<", $n; read F, $h, $n; $h =~ /"\Q$ARGV[0]\E":\{[^}]*"data_offsets":\[(\d+),(\d+)\]/ or exit 1;
		seek F, 8 + $n + $1, 0; read F, $d, $2 - $1; print $d' "$@"
}
# other_expert NAME EXPERTS E: an importance matrix whose values for expert E of this entry come in another order
other_expert() {
	perl -0777 -e 'binmode STDIN; binmode STDOUT; $_ = <STDIN>; my ($name, $all, $e) = @ARGV; my $at = index($_, $name) + length($name) + 4; my $n = unpack "l<", substr $_, $at, 4;
		my $each = $n / $all; my @v = unpack "f<$each", substr $_, $at + 4 + 4 * $each * $e, 4 * $each; substr($_, $at + 4 + 4 * $each * $e, 4 * $each) = pack "f<*", reverse @v; print' "$@"
}
# experts_differ MODULE EXPERTS: numbers of those whose codes or scales are not the same in $dir/one and $dir/two
experts_differ() {
	for p in weight scales biases; do
		bytes "$dir/one/model.safetensors" "$1.$p" >"$dir/a.bytes"; bytes "$dir/two/model.safetensors" "$1.$p" >"$dir/b.bytes"
		perl -0777 -e 'my ($all, $a, $b) = map { if (/^\d+$/) { $_ } else { open my $f, "<:raw", $_; <$f> } } @ARGV; my $n = length($a) / $all;
			for (0 .. $all - 1) { print "$_\n" if substr($a, $_ * $n, $n) ne substr $b, $_ * $n, $n }' "$2" "$dir/a.bytes" "$dir/b.bytes"
	done | sort -u
}
said() { tr -d ' \n' <"$dir/$1/config.json" | grep -qF -e "$2"; }

# every type
for t in 2bit:9 3bit:15 4bit:21 5bit:27 6bit:33 8bit:43 mxfp4:17 mxfp8:30 nvfp4:18 mixed_2_6:9 mixed_3_4:15 mixed_3_6:15 mixed_4_6:21 4bit-f16:21 bf16:90; do
	out=${t%:*}
	to "$kjv" "$dir/$out" -t "$out"; pass $? "$out is written"
	to "$kjv" "$dir/one" -t "$out" -j 1 && diff -r "$dir/one" "$dir/$out" >"$dir/log"; pass $? "$out: the same from one thread"
	HEFT_CPU=scalar to "$kjv" "$dir/one" -t "$out" -j 7 && diff -r "$dir/one" "$dir/$out" >"$dir/log"; pass $? "$out: the same from plain C, 7 threads"
	"$heft" convert "$dir/$out" --arch none --to safetensors -t f32 -q -f -o "$dir/back.safetensors" 2>"$dir/log" &&
		"$heft" diff "$dir/back.safetensors" "$kjv/model.safetensors" --arch none --min-sqnr "${t#*:}" >"$dir/log" 2>&1
	pass $? "$out: is read back as the weights that it was made of"
	case $out in *_*|*-f16|bf16) continue ;; esac
	to "$kjv" "$dir/mlx" -t "$out" --method mlx && ! diff "$dir/mlx/model.safetensors" "$dir/$out/model.safetensors" >"$dir/log" || [ "$out" = mxfp8 ]
	pass $? "$out: --method mlx gives others"
	to "$kjv" "$dir/one" -t "$out" --report "$dir/report" && { [ "$out" = mxfp8 ] || grep -q '"search_gain": 0\.' "$dir/report"; } && ! grep -q '"search_gain": -' "$dir/report"
	pass $? "$out: the search makes no tensor worse"
done

# what a folder has
(cd "$kjv" && ls | grep -v '\.safetensors\|heldout') >"$dir/want"
(cd "$dir/4bit" && ls | grep -v '\.safetensors\|heldout') | diff "$dir/want" - >"$dir/log"; pass $? "every other file"
cmp "$kjv/tokenizer.model" "$dir/4bit/tokenizer.model" >"$dir/log"; pass $? "which are copies"
has 4bit model.layers.0.mlp.up_proj.weight U32 768,32 && has 4bit model.layers.0.mlp.up_proj.scales BF16 768,4 && has 4bit model.layers.0.mlp.up_proj.biases BF16 768,4
pass $? "4bit: codes, scales, biases"
has 4bit model.embed_tokens.weight U32 2048,32 && has 4bit lm_head.scales BF16 2048,4 && has 4bit model.norm.weight BF16 256; pass $? "4bit: embeddings and head, too; no norm"
has 3bit lm_head.weight U32 2048,24 && has 8bit lm_head.weight U32 2048,64; pass $? "words of 3 and 8 bits"
has mxfp4 lm_head.scales U8 2048,8 && has nvfp4 lm_head.scales U8 2048,16 && lacks mxfp8 lm_head.biases; pass $? "modes have bytes for scales, and no biases"
has 4bit-f16 model.norm.weight F16 256 && has 4bit-f16 lm_head.scales F16 2048,4 && said 4bit-f16 '"float16"'; pass $? "4bit-f16: all floats are F16, and config.json says so"
has bf16 lm_head.weight BF16 2048,256 && ! grep -q '"quantization' "$dir/bf16/config.json"; pass $? "bf16: nothing is quantized"
said 4bit '"quantization":{"group_size":64,"bits":4,"mode":"affine"}' && said 4bit '"quantization_config":{"group_size":64,"bits":4,"mode":"affine"}'; pass $? "config.json says it under both names"
said nvfp4 '{"group_size":16,"bits":4,"mode":"nvfp4"}'; pass $? "and the mode"
said mixed_3_6 '"lm_head":{"group_size":64,"bits":6,"mode":"affine"}' && said mixed_3_6 '"model.layers.3.mlp.down_proj":{"group_size":64,"bits":6,"mode":"affine"}' && ! said mixed_3_6 layers.0.mlp.up_proj
pass $? "mixed_3_6: modules with other bits are named, with whole numbers"
to "$kjv" "$dir/rules" -t 4bit --group-size 128 --tensor-type 'down_proj=8bit' --tensor-type 'o_proj=mxfp4' --tensor-type 'embed=bf16' && said rules '"group_size":128,"bits":4,"mode":"affine"' &&
	said rules '"model.layers.0.mlp.down_proj":{"group_size":128,"bits":8,"mode":"affine"}' && said rules '"model.layers.0.self_attn.o_proj":{"group_size":32,"bits":4,"mode":"mxfp4"}' &&
	has rules model.embed_tokens.weight BF16 2048,256 && ! said rules '"model.embed_tokens":'
pass $? "--tensor-type: an entry for each module that differs"
"$heft" convert "$dir/rules" --arch none --to safetensors -t f32 -q -f -o "$dir/back.safetensors" 2>"$dir/log" &&
	"$heft" diff "$dir/back.safetensors" "$kjv/model.safetensors" --arch none --min-sqnr 16 >"$dir/log" 2>&1
pass $? "which is read back"
to "$kjv" "$dir/parts" --split-size 500K && "$heft" check "$dir/parts" >"$dir/log" 2>&1 && ls "$dir/parts" | grep -q 'model-00002-of-'; pass $? "shards, with an index"
"$heft" check "$dir/4bit" >"$dir/log" 2>&1; pass $? "heft check finds nothing wrong"
"$heft" info "$dir/4bit" | grep -q 'mlx4 g64'; pass $? "heft info names the types"
"$heft" convert "$kjv" --to mlx -n --json 2>"$dir/log" | tr -d ' \n' | grep -q '"stored":\[{"name":"[^"]*weight","type":"u32","shape":\['; pass $? "--json names the tensors that a weight becomes"

# types of floats: the configuration's
mkdir "$dir/src"; cp -r "$kjv"/* "$dir/src"; chmod -R u+w "$dir/src"
sed 's/"dtype": *"bfloat16"/"torch_dtype": "float16"/' "$kjv/config.json" >"$dir/src/config.json"
to "$dir/src" "$dir/cast" && has cast model.norm.weight F16 256 && has cast lm_head.biases F16 2048,4; pass $? "floats become what torch_dtype says"
to "$dir/src" "$dir/cast" -t 4bit-bf16 && has cast model.norm.weight BF16 256 && said cast '"torch_dtype":"bfloat16"'; pass $? "or what the user asks for"

# experts: a layer's are one tensor for each projection
for preset in qwen3moe:mlp:8 mixtral-narrow:block_sparse_moe:4; do
	IFS=: read -r m at experts <<<"$preset"
	at=model.layers.0.$at pre=
	model "$dir/moe" "$m" layers=1
	[ $m = mixtral-narrow ] || { rm "$dir/moe"/tokenizer* && cp testdata/kjv-bpe/tokenizer* "$dir/moe/" && pre='--pre qwen2'; }
	to "$dir/moe" "$dir/m" --group-size 32 && lacks m "$at.experts.0.gate_proj.weight" && lacks m "$at.experts.0.w1.weight" && header m | LC_ALL=C grep -aA1 "\"$at.switch_mlp.gate_proj.scales\":" | LC_ALL=C grep -aq '"shape":\[[0-9]*,[0-9]*,[0-9]*\]'
	pass $? "$m: experts are stacked"
	for j in 1 7; do to "$dir/moe" "$dir/n" --group-size 32 -j $j && diff -r "$dir/m" "$dir/n" >"$dir/log"; pass $? "$m: the same from $j threads"; done
	# shellcheck disable=SC2086
	"$heft" convert "$dir/moe" -t bf16 $pre -q -f -o "$dir/moe.gguf" 2>"$dir/log" && "$build"/tests/helper/mkimatrix "$dir/moe.gguf" "$dir/one.dat" &&
		other_expert blk.0.ffn_gate_exps.weight $experts 1 <"$dir/one.dat" >"$dir/two.dat"
	for from in moe moe.gguf; do
		to "$dir/$from" "$dir/one" --group-size 32 --imatrix "$dir/one.dat" && to "$dir/$from" "$dir/two" --group-size 32 --imatrix "$dir/two.dat" &&
			! diff "$dir/m/model.safetensors" "$dir/one/model.safetensors" >/dev/null &&
			[ "$(experts_differ "$at.switch_mlp.gate_proj" $experts)" = 1 ] && [ -z "$(experts_differ "$at.switch_mlp.up_proj" $experts)" ]
		pass $? "$m: importance weighs each expert by itself, from ${from/moe*./}"
	done
	rm -rf "$dir/moe" "$dir/one" "$dir/two"
done

# GGUF: codes stay
for p in q4_0:4bit q4_0:8bit q4_1:4bit q5_0:5bit q5_1:5bit q5_1:6bit q8_0:8bit; do
	q=${p%:*} t=${p#*:}
	[ -e "$dir/$q.gguf" ] || "$heft" convert "$kjv" -t "$q" --pure -q -o "$dir/$q.gguf" 2>"$dir/log"
	to "$dir/$q.gguf" "$dir/kept" -t "$t" --report "$dir/report" && [ "$("$heft" convert "$dir/$q.gguf" --to mlx -t "$t" -n 2>/dev/null | grep -c 'codes stay')" = 30 ] &&
		has kept lm_head.scales F16 2048,8 && perl -0777 -ne 'exit !/"type": "mlx[^"]*", "tensors": 30, [^{}]*\{"count": \d+, "rmse": 0,/' "$dir/report"
	pass $? "$q to $t: codes stay"
	"$heft" convert "$dir/kept" --arch none --to safetensors -t f32 -q -f -o "$dir/a.safetensors" 2>"$dir/log" &&
		"$heft" convert "$dir/$q.gguf" --to safetensors -t f32 -q -f -o "$dir/b.safetensors" 2>"$dir/log" &&
		"$heft" diff "$dir/a.safetensors" "$dir/b.safetensors" --arch none --min-sqnr 60 >"$dir/log" 2>&1
	pass $? "$q to $t: and are read as the same numbers, but for the last bit of F16"
done
"$heft" convert "$kjv" -t bf16 --tensor-type 'ffn=mxfp4' -q -o "$dir/mx.gguf" 2>"$dir/log" && to "$dir/mx.gguf" "$dir/kept" -t mxfp4 &&
	[ "$("$heft" convert "$dir/mx.gguf" --to mlx -t mxfp4 -n 2>/dev/null | grep -c 'codes stay')" = 12 ] &&
	"$heft" convert "$dir/kept" --arch none --to safetensors -t f32 -q -f -o "$dir/a.safetensors" && "$heft" convert "$dir/mx.gguf" --to safetensors -t f32 -q -f -o "$dir/b.safetensors" &&
	"$heft" diff "$dir/a.safetensors" "$dir/b.safetensors" --arch none --json >"$dir/log" 2>&1; [ "$(tr -d ' \n\t' <"$dir/log" | sed 's/{"name/\n&/g' | grep -c '\.mlp\..*"rmse":0,')" = 12 ]
pass $? "MXFP4 to mxfp4: codes stay"
legacy=../shared/data/vectors/mlx/gguf
if [ -e "$legacy/legacy.gguf" ]; then
	to "$legacy/legacy.gguf" "$dir/legacy" --arch none -t 4bit --tensor-type 'c=8bit' &&
		for n in {a,b,c}.{weight,scales,biases}; do
			bytes "$dir/legacy/model.safetensors" "$n" >"$dir/x" && bytes "$legacy/legacy_mlx.safetensors" "$n" | cmp - "$dir/x" || break
		done >"$dir/log" 2>&1 && [ "$n" = c.biases ] && [ ! -s "$dir/log" ]
	pass $? "MLX's own loader makes the same of a GGUF"
else
	skip "MLX's own loader makes the same of a GGUF" "../shared is not here"
fi
"$heft" convert "$kjv" -t q4_0 -q -o "$dir/mixed.gguf" 2>"$dir/log" # its head is Q6_K
to "$dir/mixed.gguf" "$dir/kept" -t keep && has kept lm_head.weight F16 2048,256 && has kept model.embed_tokens.weight U32 2048,32 && said kept '"group_size":32,"bits":4,"mode":"affine"}'
pass $? "keep: codes stay where MLX has such, the head is numbers"
to "$dir/mixed.gguf" "$dir/kept" -t keep --method mlx && has kept model.embed_tokens.weight U32 2048,32; pass $? "keep: whatever the method"
to "$kjv" "$dir/plain" -t keep && diff -r "$dir/bf16" "$dir/plain" >"$dir/log"; pass $? "keep: what is no codes is as with bf16"
refused 1 "-t keep stores it in 16 bits" "a head that would be coded again" "$dir/mixed.gguf" --to mlx -t 4bit
"$heft" convert "$kjv" -t q4_k -q -o "$dir/k.gguf" 2>"$dir/log"
refused 1 "allow-requantize" "codes that would be coded again" "$dir/k.gguf" --to mlx -t 4bit
refused 1 "allow-requantize" "8 bits into 4" "$dir/q8_0.gguf" --to mlx -t 4bit
refused 1 "allow-requantize" "no room in BF16 for scales" "$dir/q4_0.gguf" --to mlx -t 4bit-bf16

# what is no request
refused 2 "did you mean" "a type that is none" "$kjv" --to mlx -t 7bit
refused 1 "it takes 4bit" "a GGUF type" "$kjv" --to mlx -t q4_k_m
refused 1 "32, 64 and 128" "a whole row as a group" "$kjv" --to mlx --group-size channel
refused 1 "groups of 16 columns alone" "another group than the mode's" "$kjv" --to mlx -t nvfp4 --group-size 32
refused 1 "of its own beside" "a float type for a module's scales" "$kjv" --to mlx --tensor-type 'mlp=4bit-f16'
refused 1 "like it" "a module for a GPU runtime" "$kjv" --to mlx --tensor-type 'mlp=w4a16'
refused 2 "goes with --to mlx" "mlx-lm's method elsewhere" "$kjv" --to w4a16 --method mlx
"$heft" convert "$kjv" --to mlx -o - >"$dir/out" 2>"$dir/log"; [ $? = 1 ] && [ ! -s "$dir/out" ] && grep -q 'writes a directory' "$dir/log"; pass $? "refused: standard output"
rm -rf "$dir/kept" "$dir/two" "$dir/from"
# integers of other libraries: codes and scales stay, a bias is rounded to their type, and so are numbers as MLX calculates them
for row in awq:0.001 gptq:0.001 gptq-8bit:0.001 w4a16-asym:0.008 w8a16:0.008; do
	from=${row%:*} most=${row#*:}
	"$heft" convert "$kjv" --to "$from" -q -f -o "$dir/from" 2>"$dir/log" && to "$dir/from" "$dir/kept" -t keep && "$heft" diff "$dir/from" "$dir/kept" --max-relative "$most" >"$dir/log" 2>&1
	pass $? "from $from: codes stay"
	[ "$("$heft" convert "$dir/from" --to mlx -t keep -n 2>/dev/null | grep -c 'codes stay, biases are rounded')" = 28 ]
	pass $? "from $from: that is said"
	HEFT_CPU=scalar to "$dir/from" "$dir/two" -t keep -j 1 && diff -r "$dir/kept" "$dir/two" >"$dir/log"
	pass $? "from $from: the same bytes without vectors"
done
"$heft" convert "$kjv" --to gptq -q -f -o "$dir/from" 2>"$dir/log" && to "$dir/from" "$dir/kept" -t keep && ! { to "$dir/from" "$dir/two" -t 4bit --method mlx --ignore embed_tokens --ignore lm_head && "$heft" diff "$dir/from" "$dir/two" --max-relative 0.02 >"$dir/log" 2>&1; }
pass $? "what is rounded again loses"
has kept model.layers.0.self_attn.q_proj.scales F16 256,2 && has kept lm_head.weight F16 2048,256 && said kept '"group_size":128,"bits":4'
pass $? "groups and the type of scales are those of the source"
to "$dir/from" "$dir/two" --group-size 32 && has two model.layers.0.self_attn.q_proj.scales F16 256,8 && "$heft" diff "$dir/kept" "$dir/two" --json | grep -qE '"name": "model.layers.0.self_attn.q_proj.weight".*"relative": (0|0\.000[0-9]+|[0-9.]+e-[0-9]+),'
pass $? "smaller groups of the same codes"
"$heft" convert "$kjv" --to w4a16 --tensor-type 'self_attn=w4a16:32' -q -f -o "$dir/from" 2>"$dir/log" && to "$dir/from" "$dir/two" -t keep && has two model.layers.0.self_attn.q_proj.weight BF16 256,256 &&
	has two model.layers.0.mlp.up_proj.weight U32 768,32 && "$heft" diff "$dir/from" "$dir/two" --max-relative 0.008 >"$dir/log" 2>&1
pass $? "keep: groups that cannot stay are decoded"
to "$dir/from" "$dir/two" -t keep --method mlx && has two model.layers.0.self_attn.q_proj.weight BF16 256,256
pass $? "keep: what would be rounded again is decoded"
finish
