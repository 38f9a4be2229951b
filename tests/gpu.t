#!/bin/bash
# Directories for GPU runtimes: what is in them, that they are the same for any number of threads, that they are read back, what is refused.
# That the bytes are those of the libraries is compared in tests/oracle/gpu.
. "$(dirname "$0")/lib.sh"

said() { grep -qF -e "$2" "$dir/$1/config.json"; pass $? "$1: config.json has $2"; }

for t in fp8-dynamic:30 fp8-block:30 fp8:30 w4a16:18 w4a16-asym:18 w8a16:38 w8a8:38 mxfp4a16:17 mxfp8a16:30 nvfp4a16:19 \
	modelopt-nvfp4:19 modelopt-fp8-channel:30 modelopt-fp8-block:30; do
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
said w8a8 '"format": "int-quantized"'
said mxfp4a16 '"scale_dtype": "torch.uint8"'
said mxfp8a16 '"format": "mxfp8-quantized"'
said nvfp4a16 '"strategy": "tensor_group"'
said modelopt-nvfp4 '"quant_algo": "W4A16_NVFP4"'
said modelopt-fp8-channel '"quant_algo": "FP8_PER_CHANNEL_PER_TOKEN"'
grep -qF '"exclude_modules": ["lm_head"]' "$dir/modelopt-fp8-block/hf_quant_config.json" && [ ! -e "$dir/nvfp4a16/hf_quant_config.json" ]; pass $? "ModelOpt's own file says it too"
said w4a16 '"ignore": ["lm_head"]'

"$heft" convert "$kjv" --to w4a16 --group-size 32 --split-size 500K -q -o "$dir/parts" 2>"$dir/log" && [ -e "$dir/parts/model-00002-of-0000"*.safetensors ] &&
	grep -q 'weight_packed' "$dir/parts/model.safetensors.index.json"
pass $? "shards with an index"
"$heft" check "$dir/parts" >"$dir/log" 2>&1; pass $? "that heft check finds nothing wrong with"
"$heft" convert "$dir/fp8" --to w4a16 -q -o "$dir/again" 2>"$dir/log" && ! grep -q '"fp8"' "$dir/again/config.json"; pass $? "a quantized checkpoint gets another quantization_config"
"$heft" convert "$kjv" -t f16 -q -o "$dir/f16.gguf" && "$heft" convert "$dir/f16.gguf" --to fp8-dynamic -q -o "$dir/from" 2>"$dir/log" && grep -q '"quantization_config"' "$dir/from/config.json"
pass $? "from GGUF"
"$heft" convert "$kjv" -t bf16 -q -o "$dir/bf16.gguf" 2>"$dir/log"
for t in w4a16 fp8 gptq; do
	"$heft" convert "$dir/bf16.gguf" --to "$t" -q -f -o "$dir/from" 2>"$dir/log" && "$heft" convert "$kjv" --to "$t" -q -f -o "$dir/straight" 2>>"$dir/log" &&
		"$heft" diff "$dir/from" "$dir/straight" --arch none --max-rmse 0 >"$dir/log" 2>&1 && grep -q '"quant_method"' "$dir/from/config.json"
	pass $? "$t: from GGUF as from the checkpoint that it was made of"
done
rm -rf "$dir/from" "$dir/straight" "$dir/bf16.gguf"

# the other files, folders too
cp -r "$kjv" "$dir/src"
mkdir -p "$dir/src/a/b" "$dir/src/original" "$dir/src/1_Pooling"
echo x >"$dir/src/a/b/c.txt"; echo y >"$dir/src/modeling_x.py"; echo '{}' >"$dir/src/1_Pooling/config.json"
for f in original/params.json pytorch_model.bin a/rust_model.ot hf_quant_config.json; do echo z >"$dir/src/$f"; done
ln -s a/b/c.txt "$dir/src/linked.txt"; ln -s nowhere "$dir/src/lost.txt"
sed 's/"dtype": "bfloat16"/"torch_dtype": "float32"/; s/^{/{ "text_config": { "dtype": "float32", "a": [1, {"dtype": "x"}], "quantization_config": {"bits": 4} }, "compression_config": {},/' "$kjv/config.json" >"$dir/src/config.json"
"$heft" convert "$dir/src" --to fp8 -t bf16 -q -o "$dir/full" 2>"$dir/log"; pass $? "a folder with folders and links is written"
(cd "$dir/full" && find . -type f | sort) >"$dir/have"
(cd "$dir/src" && find . -type f ! -name '*.ot' ! -name '*.bin' ! -path './original/*' ! -name hf_quant_config.json; echo ./linked.txt) | sort | diff - "$dir/have" >"$dir/log"
pass $? "every file but other weights, and what they are described by"
cmp "$dir/src/a/b/c.txt" "$dir/full/a/b/c.txt" && [ ! -L "$dir/full/linked.txt" ]; pass $? "files in folders, and of links, are copies"
[ "$(grep -c '"torch_dtype": "bfloat16"' "$dir/full/config.json")" = 1 ] && grep -q '"text_config": { "dtype": "bfloat16", "a": \[1, {"dtype": "x"}\]' "$dir/full/config.json"; pass $? "config.json: the type that was asked for" || shown "$dir/full/config.json"
[ "$(grep -c '"quant_method"' "$dir/full/config.json")" = 2 ] && ! grep -q 'compression_config\|"bits"' "$dir/full/config.json"; pass $? "config.json: another quantization_config where the source had one, too"
tar -C "$dir" -cf "$dir/src.tar" --exclude 'l*.txt' src
"$heft" convert "$dir/src.tar" --to fp8 -t bf16 -q -o "$dir/fromtar" 2>"$dir/log" && cmp "$dir/full/model.safetensors" "$dir/fromtar/model.safetensors" &&
	cmp "$dir/src/a/b/c.txt" "$dir/fromtar/a/b/c.txt" && cmp "$dir/src/modeling_x.py" "$dir/fromtar/modeling_x.py"
pass $? "the same from an archive"
ln -s /etc/hostname "$dir/src/outside.txt"
refused 1 "a link out of the model's folder" "a link out of the folder" "$dir/src" --to fp8 -o "$dir/no"
rm "$dir/src/outside.txt"; ln -s "$dir/parts" "$dir/src/elsewhere"
refused 1 "a link out of the model's folder" "a linked folder" "$dir/src" --to fp8 -o "$dir/no"
"$heft" convert "$kjv" --to w4a16 -n --json >"$dir/log" 2>&1 && tr -d ' \n' <"$dir/log" | grep -q '"stored":\[{"name":"[^"]*weight_packed","type":"i32","shape":\['; pass $? "--json names the tensors that a weight becomes"

# single modules
types() { "$heft" convert "$kjv" -n --json "$@" 2>"$dir/log" | tr -d ' \n' | sed 's/{"name":"model.layers/\n&/g' >"$dir/items"; [ "${PIPESTATUS[0]}" = 0 ]; }
has() { grep -q "^{\"name\":\"$1\".*\"type\":\"$2\",\"part\"" "$dir/items"; }
types --to w4a16 --ignore 'LAYERS.1.*' --ignore 'down_proj$' && has model.layers.0.mlp.down_proj.weight bf16 && has model.layers.1.mlp.up_proj.weight bf16 && has model.layers.0.mlp.up_proj.weight 'int4g128'
pass $? "--ignore: modules stay, large and small letters alike"
types --to w4a16 --targets 'mlp' --ignore 'layers.2' && has model.layers.0.self_attn.q_proj.weight bf16 && has model.layers.0.mlp.up_proj.weight int4g128 && has model.layers.2.mlp.up_proj.weight bf16
pass $? "--targets: no others are quantized; --ignore comes first"
types --to w4a16 --tensor-type 'layers.3=bf16' --tensor-type 'self_attn=w8a16' --tensor-type 'v_proj=fp8-dynamic' --tensor-type 'lm_head=fp8-dynamic' && has model.layers.3.self_attn.q_proj.weight bf16 &&
	has model.layers.0.self_attn.v_proj.weight int8channel && has model.layers.0.mlp.up_proj.weight int4g128
pass $? "--tensor-type: the first that matches decides"
"$heft" convert "$kjv" --to w4a16 --group-size 32 --tensor-type 'self_attn=w8a16' --tensor-type 'lm_head=fp8-dynamic' --tensor-type 'layers.0.mlp=f32' -q -o "$dir/mixed" 2>"$dir/log" &&
	[ "$(grep -c '"group_[012]"' "$dir/mixed/config.json")" = 3 ] && grep -q '"format": "mixed-precision"' "$dir/mixed/config.json" &&
	grep -q '"targets": \["model.layers.0.self_attn.k_proj", ' "$dir/mixed/config.json" && grep -q '"ignore": \["model.layers.0.mlp.down_proj", "model.layers.0.mlp.gate_proj", "model.layers.0.mlp.up_proj"\]' "$dir/mixed/config.json"
pass $? "mixed: a group for each target, with exact names" || shown "$dir/mixed/config.json"
"$heft" convert "$dir/mixed" --arch none --to safetensors -t bf16 -q -o "$dir/back.safetensors" 2>"$dir/log" &&
	"$heft" diff "$dir/back.safetensors" "$kjv/model.safetensors" --arch none --min-sqnr 18 >"$dir/log" 2>&1
pass $? "mixed: is read back"
rm -f "$dir/back.safetensors"
"$heft" convert "$kjv" --to w4a16 --tensor-type 'self_attn=w4a16:32' --tensor-type 'layers.0.mlp=w8a16:64' -q -o "$dir/groups" 2>"$dir/log" &&
	[ "$(grep -o '"group_size": [a-z0-9]*' "$dir/groups/config.json" | sort | tr -d '\n')" = '"group_size": 128"group_size": 32"group_size": 64' ] &&
	"$heft" convert "$dir/groups" --arch none --to safetensors -t bf16 -q -o "$dir/back.safetensors" 2>"$dir/log" &&
	"$heft" diff "$dir/back.safetensors" "$kjv/model.safetensors" --arch none --min-sqnr 18 >"$dir/log" 2>&1
pass $? "mixed: groups of several sizes, and they are read back" || shown "$dir/groups/config.json"
rm -f "$dir/back.safetensors"
refused 1 "one matrix or layer" "two sizes of groups for it" "$kjv" --to w4a16 --tensor-type up_proj=w4a16:32 -o "$dir/no"
refused 1 "no groups of a size to choose" "a group for what has none" "$kjv" --to w4a16 --tensor-type mlp=w8a8:32 -o "$dir/no"
refused 1 "groups have 32, 64 or 128 columns" "a group that no kernel serves" "$kjv" --to w4a16 --tensor-type mlp=w4a16:48 -o "$dir/no"
refused 1 "one matrix or layer" "half of what runtimes join" "$kjv" --to w4a16 --ignore q_proj -o "$dir/no"
refused 1 "one matrix or layer" "two targets for it" "$kjv" --to w4a16 --tensor-type up_proj=w8a16 -o "$dir/no"
refused 1 "matches no module's name" "a pattern that nothing matches" "$kjv" --to w4a16 --ignore nothing -o "$dir/no"
refused 1 "do not go into one directory" "targets that do not mix" "$kjv" --to w4a16 --tensor-type 'mlp=fp8' -o "$dir/no"
refused 1 "a target like it" "a GGUF type" "$kjv" --to w4a16 --tensor-type 'mlp=q4_k' -o "$dir/no"
refused 1 "go with --to for GPU runtimes" "--ignore for GGUF" "$kjv" --ignore mlp -o "$dir/no"
refused 1 "without" "a pattern with an error" "$kjv" --to w4a16 --targets '(' -o "$dir/no"

# gpt-oss's own layout
"$build/tests/helper/mkexperts" "$dir/oss" alternate && "$heft" convert "$dir/oss/fused" --to mxfp4 -q -o "$dir/oss/q" 2>"$dir/log"; pass $? "mxfp4 is written"
"$heft" convert "$dir/oss/fused" --to mxfp4 -q -j 1 -o "$dir/oss/one" 2>"$dir/log" && diff -r "$dir/oss/one" "$dir/oss/q" >"$dir/log"; pass $? "mxfp4: the same from one thread"
LC_ALL=C grep -aq '"model.layers.0.mlp.experts.gate_up_proj_blocks":{"dtype":"U8","shape":\[3,768,8,16\]' "$dir/oss/q/model.safetensors" &&
	LC_ALL=C grep -aq '"model.layers.0.mlp.experts.down_proj_scales":{"dtype":"U8","shape":\[3,256,12\]' "$dir/oss/q/model.safetensors"
pass $? "mxfp4: names and shapes"
"$heft" convert "$dir/oss/q" --to mxfp4 -q -o "$dir/oss/again" 2>"$dir/log" && diff -r "$dir/oss/again" "$dir/oss/q" >"$dir/log"; pass $? "mxfp4: codes are coded again as they were"
"$heft" convert "$dir/oss/q" --to safetensors -t bf16 -q -o "$dir/oss/plain" 2>"$dir/log" && "$heft" convert "$dir/oss/plain" --to mxfp4 -q -o "$dir/oss/three" 2>"$dir/log" &&
	cmp "$dir/oss/three/model.safetensors" "$dir/oss/q/model.safetensors" >"$dir/log"
pass $? "mxfp4: and from the 16 bits that they stand for"
"$heft" diff "$dir/oss/plain" "$dir/oss/fused" --arch none --min-sqnr 18 >"$dir/log" 2>&1; pass $? "mxfp4: which are the source's"
"$heft" convert "$dir/oss/q" --to w4a16 -q -o "$dir/oss/w" 2>"$dir/log" && "$heft" convert "$dir/oss/plain" --to w4a16 -q -o "$dir/oss/v" && diff -r "$dir/oss/w" "$dir/oss/v" >"$dir/log"
pass $? "mxfp4 to w4a16: as from its 16 bits"
refused 1 "gpt-oss's own layout" "mxfp4 of another model" "$kjv" --to mxfp4 -o "$dir/no"
refused 1 "go with --to mxfp4a16" "mxfp4 of some modules" "$dir/oss/fused" --to mxfp4 --ignore mlp -o "$dir/no"
rm -rf "$dir/oss"

# a quantized checkpoint as a plain one again
for t in fp8 w4a16 w8a8 nvfp4a16 modelopt-nvfp4 gptq awq bnb-nf4 bnb-int8; do
	"$heft" convert "$kjv" --to "$t" --method rtn -q -o "$dir/codes" 2>"$dir/log" && "$heft" convert "$dir/codes" --to safetensors -t bf16 -q -o "$dir/plain" 2>"$dir/log" &&
		"$heft" convert "$dir/codes" --to safetensors -t bf16 -q -o "$dir/lone.safetensors" 2>"$dir/log" && cmp "$dir/plain/model.safetensors" "$dir/lone.safetensors" >"$dir/log" &&
		cmp "$kjv/tokenizer.model" "$dir/plain/tokenizer.model" >"$dir/log" && ! grep -q quantization_config "$dir/plain/config.json" && "$heft" check "$dir/plain" >"$dir/log" 2>&1
	pass $? "$t: decoded into a directory"
	"$heft" convert "$dir/codes" --to safetensors -t keep -q -o "$dir/kept" 2>"$dir/log" && diff -r "$dir/codes" "$dir/kept" >"$dir/log"; pass $? "$t: copied into a directory"
	"$heft" convert "$dir/codes" --to fp8-dynamic -q -o "$dir/other" 2>"$dir/log" && "$heft" convert "$dir/plain" --to fp8-dynamic -q -o "$dir/more" 2>"$dir/log" &&
		diff -r "$dir/other" "$dir/more" >"$dir/log"
	pass $? "$t: to fp8-dynamic as from its 16 bits"
	rm -rf "$dir/codes" "$dir/plain" "$dir/kept" "$dir/other" "$dir/more" "$dir/lone.safetensors"
done

# shapes: what runtimes read as one stays as one
model "$dir/odd" llama hidden=256 heads=4 kv_heads=1 head_dim=64 ffn=192 layers=1
why() { "$heft" convert "$dir/odd" --to "$1" -n 2>/dev/null | grep -F "$2" >"$dir/log"; }
why fp8 "model.layers.0.self_attn.k_proj.weight" && grep -q '64 rows are no multiple of 128' "$dir/log" && why fp8 "runtimes read it with" && grep -q 'self_attn.q_proj.weight .*k_proj.weight, which does not fit' "$dir/log"
pass $? "fp8: queries stay with keys that do not fit"
why w8a16 "mlp.down_proj.weight" && grep -q 'no kernel serves 192 columns, no multiple of 128' "$dir/log" && why w8a16 "mlp.up_proj.weight" && grep -q 'int8 channel' "$dir/log"
pass $? "w8a16: a matrix that no kernel serves stays by itself"
why fp8-dynamic "mlp.down_proj.weight" && grep -q 'fp8_e4m3 channel' "$dir/log"
pass $? "fp8-dynamic: any shape"

# experts that are one tensor: the directory of their twin, whose experts stand apart
for kind in concat turned alternate granite mixtral; do
	"$build/tests/helper/mkexperts" "$dir/experts" "$kind" >"$dir/log" 2>&1
	for t in w4a16:0 fp8:32 w8a16:32 nvfp4a16:0; do
		args=(--to "${t%:*}" -q -f) at=$dir/experts/${t%:*}
		[ "${t%:*}" != w8a16 ] || args+=(--ignore 'q_proj' --tensor-type 'experts=w4a16' --tensor-type 'nothing|router|moe.gate|mlp.gate$|forward.gate$=bf16')
		"$heft" convert "$dir/experts/fused" "${args[@]}" -o "$at.fused" 2>"$dir/log" && "$heft" convert "$dir/experts/split" "${args[@]}" -o "$at.split" 2>>"$dir/log" &&
			diff -r "$at.fused" "$at.split" >>"$dir/log"
		pass $? "experts in one tensor ($kind): ${t%:*} of the twin's bytes"
	done
	[ "$kind" != alternate ] || { "$heft" convert "$dir/experts/fused" --to w4a16 -q -n --json 2>/dev/null | grep -q 'experts.2.up_proj.bias'; pass $? "biases go with their experts"; }
	rm -rf "$dir/experts"
done
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
for t in w4a16 w4a16-asym w8a16 w8a8 mxfp4a16 nvfp4a16 modelopt-nvfp4 gptq gptq-8bit awq; do
	"$heft" convert "$kjv" --to $t -q -f -o "$dir/searched" --report "$dir/searched.json" 2>"$dir/log" && grep -q '"search_gain": 0\.' "$dir/searched.json" && ! grep -q '"search_gain": -' "$dir/searched.json"
	pass $? "$t: the search makes no tensor worse"
done
"$heft" convert "$kjv" --to W4A16 -q -f -o "$dir/again" 2>"$dir/log"
pass $? "large letters are as good"
refused 1 "--method says how" "GGUF's --effort" "$kjv" --to w4a16 --effort high -o "$dir/no"
refused 2 "only: search, rtn" "a method that is none" "$kjv" --to w4a16 --method best -o "$dir/no"
refused 2 "--to nvfp4a16" "what takes data" "$kjv" --to nvfp4 -o "$dir/no"
refused 2 "--to mxfp4a16" "activations in few bits" "$kjv" --to mxfp4a4 -o "$dir/no"
refused 1 "read twice" "a stream that would be read twice" - --to nvfp4a16 -o "$dir/no" < <(cat "$kjv/model.safetensors")
refused 1 "has no groups" "a group size for floats" "$kjv" --to fp8 --group-size 32 -o "$dir/no"
"$heft" convert "$kjv" -t q8_0 -q -o "$dir/q.gguf" 2>"$dir/log"
refused 1 "quantized already" "quantizing codes again" "$dir/q.gguf" --to w4a16 -o "$dir/no"
finish
