#!/bin/bash
# Directories for GPU runtimes: what is in them, that they are the same for any number of threads, that they are read back, what is refused.
# That the bytes are those of the libraries is compared in tests/oracle/gpu.
. "$(dirname "$0")/lib.sh"

pass() { ok "$1" "$2" || shown "$dir/log"; }
refused() { # STATUS WORDS LABEL ARGS...
	local want=$1 words=$2 label=$3
	shift 3
	"$heft" convert "$@" 2>"$dir/log"
	[ $? = "$want" ] && [ ! -e "$dir/no" ] && grep -qF -e "$words" "$dir/log"
	pass $? "refused: $label"
}
said() { grep -qF -e "$2" "$dir/$1/config.json"; pass $? "$1: config.json has $2"; }

for t in fp8-dynamic:30 fp8-block:30 fp8:30 w4a16:18 w4a16-asym:18 w8a16:38; do
	out=${t%:*}
	"$heft" convert "$kjv" --to "$out" -q -o "$dir/$out" 2>"$dir/log"; pass $? "$out is written"
	"$heft" convert "$kjv" --to "$out" -q -j 1 -o "$dir/one" 2>"$dir/log" && diff -r "$dir/one" "$dir/$out" >"$dir/log"; pass $? "$out: the same from one thread"
	rm -rf "$dir/one"
	cmp "$kjv/tokenizer.model" "$dir/$out/tokenizer.model" >"$dir/log"; pass $? "$out: other files are copies"
	"$heft" convert "$dir/$out" --arch none --to safetensors -t bf16 -q -o "$dir/back.safetensors" 2>"$dir/log" &&
		"$heft" diff "$dir/back.safetensors" "$kjv/model.safetensors" --arch none --min-sqnr "${t#*:}" >"$dir/log" 2>&1
	pass $? "$out: is read back as the weights that it was made of"
	rm -f "$dir/back.safetensors"
done
said fp8-dynamic '"strategy": "token"'
said fp8-block '"block_structure": [128, 128]'
said fp8 '"quant_method": "fp8"'
said w4a16 '"group_size": 128'
said w4a16-asym '"symmetric": false'
said w8a16 '"strategy": "channel"'
said w4a16 '"ignore": ["lm_head"]'

"$heft" convert "$kjv" --to w4a16 --group-size 32 --split-size 500K -q -o "$dir/parts" 2>"$dir/log" && [ -e "$dir/parts/model-00002-of-0000"*.safetensors ] &&
	grep -q 'weight_packed' "$dir/parts/model.safetensors.index.json"
pass $? "shards with an index"
"$heft" check "$dir/parts" >"$dir/log" 2>&1; pass $? "that heft check finds nothing wrong with"
"$heft" convert "$dir/fp8" --to w4a16 -q -o "$dir/again" 2>"$dir/log" && ! grep -q '"fp8"' "$dir/again/config.json"; pass $? "a quantized checkpoint gets another quantization_config"
"$heft" convert "$kjv" -t f16 -q -o "$dir/f16.gguf" && "$heft" convert "$dir/f16.gguf" --to fp8-dynamic -q -o "$dir/from" 2>"$dir/log" && grep -q '"quantization_config"' "$dir/from/config.json"
pass $? "from GGUF"
refused 1 "writes a directory" "standard output" "$kjv" --to w4a16 -o -
refused 1 "is also the input" "the source's own folder" "$kjv" --to w4a16 -f -o "$kjv"
"$heft" convert "$kjv" --to w4a16 --method rtn -q -o "$dir/rtn" --report "$dir/rtn.json" 2>"$dir/log" &&
	"$heft" convert "$kjv" --to w4a16 -q -o "$dir/searched" --report "$dir/searched.json" 2>"$dir/log" &&
	awk 'match($0, /"type": "int4 g128".*/) { $0 = substr($0, RSTART); if (match($0, /"sqnr_db": [0-9.]+/)) db[FILENAME] = substr($0, RSTART + 11, RLENGTH - 11) }
		END { exit !(db[ARGV[2]] > db[ARGV[1]] + 0.5) }' "$dir/rtn.json" "$dir/searched.json"
pass $? "w4a16: the search lowers the error"
for cpu in scalar avx2; do
	HEFT_CPU=$cpu "$heft" convert "$kjv" --to w4a16-asym -q -o "$dir/$cpu" 2>"$dir/log"
done
diff -r "$dir/scalar" "$dir/avx2" >"$dir/log"
pass $? "w4a16-asym: the search finds the same with every instruction set"
refused 2 "only: search, rtn" "a method that is none" "$kjv" --to w4a16 --method best -o "$dir/no"
refused 1 "has no groups" "a group size for floats" "$kjv" --to fp8 --group-size 32 -o "$dir/no"
"$heft" convert "$kjv" -t q8_0 -q -o "$dir/q.gguf" 2>"$dir/log"
refused 1 "quantized already" "quantizing codes again" "$dir/q.gguf" --to w4a16 -o "$dir/no"
finish
