#!/bin/bash
# Codes from one layout to another that has room for them: no number changes, and the way there and back gives the same tensors.
. "$(dirname "$0")/lib.sh"

to() { "$heft" convert "$1" -q -f --to "${@:3}" -o "$2" 2>"$dir/log"; }
# are the numbers of two directories or files the same?
equal() { "$heft" diff "$1" "$2" --arch "${3:-none}" --max-rmse 0 >"$dir/log" 2>&1; }
floats() { "$heft" convert "$1" --arch none --to safetensors -t f32 -q -f -o "$2" 2>"$dir/log"; }
kept() { # SOURCE LABEL ARGS...: the directory has the source's numbers
	rm -rf "$dir/out"
	to "$1" "$dir/out" "${@:3}" && floats "$1" "$dir/a.safetensors" && floats "$dir/out" "$dir/b.safetensors" && equal "$dir/a.safetensors" "$dir/b.safetensors"
	pass $? "$2"
}

for pair in gptq:w4a16 awq:w4a16-asym gptq-8bit:w8a16; do
	a=${pair%:*} b=${pair#*:}
	to "$kjv" "$dir/$a" "$a" -t f16 && kept "$dir/$a" "$a to $b: no number changes" "$b"
	mv "$dir/out" "$dir/$b"
	kept "$dir/$b" "$b to $a: nor on the way back" "$a"
	floats "$dir/$a" "$dir/a.safetensors" && floats "$dir/out" "$dir/b.safetensors" && equal "$dir/a.safetensors" "$dir/b.safetensors"
	pass $? "$a: the same again"
done
to "$kjv" "$dir/g32" w4a16 --group-size 32 && to "$dir/g32" "$dir/again" w4a16 && grep -q '"group_size": 32' "$dir/again/config.json"
pass $? "groups are those of the source where none are asked for"
kept "$dir/g32" "into larger words: w4a16 to w8a16" w8a16 --group-size 32

# floats: the same bytes under other names
to "$kjv" "$dir/ct" nvfp4a16 && to "$dir/ct" "$dir/mo" modelopt-nvfp4 && to "$dir/mo" "$dir/again" nvfp4a16 && [ "$(cmp -l "$dir/ct/model.safetensors" "$dir/again/model.safetensors" | wc -l)" -le $((28 * 4)) ]
pass $? "nvfp4a16 to modelopt-nvfp4 and back: the same file but for factors, whose reciprocals are rounded"
"$heft" convert "$dir/ct" --arch none --to modelopt-nvfp4 -n 2>/dev/null | grep -q 'lossless: codes stay'
pass $? "the plan says that codes stay"
for t in nvfp4a16 modelopt-nvfp4 mxfp4a16 mxfp8a16 fp8 fp8-block fp8-dynamic modelopt-fp8-block modelopt-fp8-channel; do
	to "$kjv" "$dir/one" $t --method rtn && "$heft" convert "$dir/one" --to $t -n 2>/dev/null | grep -q 'lossless: codes stay'
	pass $? "$t again: codes stay"
	to "$dir/one" "$dir/two" $t && floats "$dir/one" "$dir/a.safetensors" && floats "$dir/two" "$dir/b.safetensors" && equal "$dir/a.safetensors" "$dir/b.safetensors"
	pass $? "$t again: and the numbers are the same"
done
to "$dir/one" "$dir/two" fp8-dynamic -t f32 && ! "$heft" convert "$dir/one" --to fp8-dynamic -t bf16 -n 2>/dev/null | grep -q lossless
pass $? "scales of another type are no copies"

gguf() { "$heft" convert "$kjv" -t "$1" --pure -q -o "$dir/$1.gguf" 2>"$dir/log"; }
# a GGUF's tensors that stay are decoded to 16 bits: only those that are quantized must be as they were
same_codes() { # TYPE LABEL ARGS...
	to "$dir/$1.gguf" "$dir/out" "${@:3}" --report "$dir/report" && perl -0777 -ne 'exit !(/"type": "(int|gptq|awq)[^"]*", "tensors": 28, [^{}]*\{"count": \d+, "rmse": 0,/)' "$dir/report"
	pass $? "$2"
}
gguf q8_0; gguf q4_0
same_codes q8_0 "Q8_0 to gptq-8bit" gptq-8bit
same_codes q8_0 "Q8_0 to w8a16" w8a16
same_codes q4_0 "Q4_0 to awq" awq
same_codes q4_0 "Q4_0 to w4a16-asym" w4a16-asym
same_codes q4_0 "Q4_0 to w8a16" w8a16
same_codes q4_0 "Q4_0 to gptq, whose scales may be less than 0" gptq --signed-scales
"$heft" convert "$dir/q4_0.gguf" --to gptq-8bit -n 2>/dev/null | grep -q 'lossless: codes stay'
pass $? "the plan says so"
for args in "q4_0 gptq" "q8_0 w4a16" "q4_0 w4a16-asym -t bf16" "q4_0 awq --method rtn"; do
	# shellcheck disable=SC2086
	! "$heft" convert "$dir/${args%% *}.gguf" --to ${args#* } -q -o "$dir/no" 2>"$dir/log" && grep -q allow-requantize "$dir/log" && [ ! -e "$dir/no" ]
	pass $? "refused, for it would lose: $args"
done
"$heft" convert "$kjv" --to fp8 --signed-scales -q -o "$dir/no" --method rtn 2>"$dir/log"; [ $? = 1 ] && grep -q "goes with the search" "$dir/log"
pass $? "refused: --signed-scales without a search"
# MLX's affine codes have room for GGUF's blocks with a least number, and the other way round
for pair in q4_1:4bit q5_1:5bit; do
	t=${pair%:*} b=${pair#*:}
	"$heft" convert "$kjv" -t $t --pure -q -f -o "$dir/$t.gguf" && to "$dir/$t.gguf" "$dir/mlx" mlx -t $b --group-size 32 &&
		"$heft" convert "$dir/mlx" -t $t --pure -q -f -o "$dir/again.gguf" 2>"$dir/log" && "$heft" diff "$dir/$t.gguf" "$dir/again.gguf" --arch none --max-rmse 0 >"$dir/log" 2>&1
	pass $? "$t to MLX's $b and back: the same numbers"
	"$heft" convert "$dir/mlx" -t $t -n --json 2>"$dir/log" | tr -d ' \n' | grep -q "\"type\":\"$t\"[^}]*\"lossless\":true"
	pass $? "MLX's $b to $t: lossless where scales are F16"
	rm -rf "$dir/mlx"
done
to "$kjv" "$dir/mlx" mlx && "$heft" convert "$dir/mlx" -t q4_1 --pure -q -f -o "$dir/again.gguf" --report "$dir/report.json" 2>"$dir/log" && tr -d ' \n' <"$dir/report.json" >"$dir/log" &&
	! grep -q '"type":"q4_1"[^}]*"lossless":true' "$dir/log" && grep -q '"sqnr_db":4[0-9]' "$dir/log"
pass $? "MLX's 4bit to q4_1 with BF16 scales: not called lossless, but measured"
finish
