#!/bin/bash
# Directories in the layouts of GPTQ, AWQ and bitsandbytes: what is in them, that they are the same for any number of threads, that they are
# read back, what stays, what is refused. That the bytes are those of the libraries is compared in tests/oracle/gptq.
. "$(dirname "$0")/lib.sh"

said() { grep -qF -e "$3" "$dir/$1/$2"; pass $? "$1: $2 has $3"; }

for t in gptq:18 gptq-8bit:42 awq:18 bnb-nf4:19 bnb-fp4:17 bnb-nf4-double:19 bnb-fp4-double:17 bnb-int8:41; do
	out=${t%:*}
	"$heft" convert "$kjv" --to "$out" --method rtn -q -o "$dir/$out" 2>"$dir/log"; pass $? "$out is written"
	for j in 1 3; do
		"$heft" convert "$kjv" --to "$out" --method rtn -q -j "$j" -o "$dir/one" 2>"$dir/log" && diff -r "$dir/one" "$dir/$out" >"$dir/log"; pass $? "$out: the same with -j $j"
		rm -rf "$dir/one"
	done
	"$heft" check "$dir/$out" >"$dir/log" 2>&1; pass $? "$out: heft check finds nothing wrong"
	"$heft" convert "$dir/$out" --arch none --to safetensors -t bf16 -q -o "$dir/back.safetensors" 2>"$dir/log" &&
		"$heft" diff "$dir/back.safetensors" "$kjv/model.safetensors" --arch none --min-sqnr "${t#*:}" >"$dir/log" 2>&1
	pass $? "$out: is read back as the weights that it was made of"
	rm -f "$dir/back.safetensors"
done
said gptq config.json '"group_size": 128'
said gptq quantize_config.json '"checkpoint_format": "gptq"'
said gptq-8bit quantize_config.json '"bits": 8'
said awq config.json '"modules_to_not_convert": ["lm_head"]'
said bnb-nf4 config.json '"bnb_4bit_quant_type": "nf4"'
said bnb-nf4-double config.json '"bnb_4bit_use_double_quant": true'
said bnb-int8 config.json '"load_in_8bit": true'

# what GPTQ's layout shares with that of compressed-tensors
"$heft" convert "$dir/gptq" -t q4_0 -q -o "$dir/gptq.gguf" --allow-requantize 2>"$dir/log"; pass $? "gptq: goes on to GGUF"
for t in gptq awq; do
	"$heft" convert "$kjv" --to "$t" --method rtn --group-size channel -q -o "$dir/channel" 2>"$dir/log" && grep -qF '"group_size": -1' "$dir/channel/config.json"
	pass $? "$t: a row is a group"
	rm -rf "$dir/channel"
	"$heft" convert "$kjv" --to "$t" --group-size 32 --split-size 500K -q -o "$dir/parts" 2>"$dir/log" && [ -e "$dir/parts/model-00002-of-0000"*.safetensors ] &&
		grep -q 'qzeros' "$dir/parts/model.safetensors.index.json"
	pass $? "$t: shards with an index"
	rm -rf "$dir/parts"
	"$heft" convert "$kjv" --to "$t" -q -o "$dir/searched" --report "$dir/searched.json" 2>"$dir/log" &&
		"$heft" convert "$kjv" --to "$t" --method rtn -q -o "$dir/rtn" --report "$dir/rtn.json" 2>"$dir/log" &&
		awk 'match($0, /"type": "[a-z]*4 g128".*/) { $0 = substr($0, RSTART); if (match($0, /"sqnr_db": [0-9.]+/)) db[FILENAME] = substr($0, RSTART + 11, RLENGTH - 11) }
			END { exit !(db[ARGV[2]] > db[ARGV[1]] + 0.3) }' "$dir/rtn.json" "$dir/searched.json"
	pass $? "$t: the search lowers the error"
	rm -rf "$dir/searched" "$dir/rtn"
done

"$heft" convert "$kjv" --to bnb-nf4-double -n --progress=json >/dev/null 2>"$dir/log" && grep -q '"done": \([0-9]*\), "total": \1,' "$dir/log"
pass $? "bnb-nf4-double: a plan that reads weights shows it"

# modules that stay, and those of other widths
"$heft" convert "$kjv" --to gptq --ignore 'layers.0.mlp.down_proj' --tensor-type 'layers.1.mlp=gptq-8bit' -q -o "$dir/mixed" 2>"$dir/log" &&
	grep -qF '"-:^model\\.layers\\.0\\.mlp\\.down_proj$": {}' "$dir/mixed/config.json" &&
	grep -qF '"+:^model\\.layers\\.1\\.mlp\\.(?:gate_proj|up_proj|gate_up_proj)$": {"bits": 8, "group_size": 128}' "$dir/mixed/quantize_config.json"
pass $? "gptq: rules for modules that stay, and for those of 8 bits"
"$heft" convert "$kjv" --to gptq --tensor-type 'layers.1.mlp=gptq-8bit:32' --tensor-type 'layers.2.mlp=gptq:CHANNEL' --tensor-type 'layers.3.mlp=gptq:128' -q -o "$dir/groups" 2>"$dir/log" &&
	grep -qF '"+:^model\\.layers\\.1\\.mlp\\.(?:gate_proj|up_proj|gate_up_proj)$": {"bits": 8, "group_size": 32}' "$dir/groups/quantize_config.json" &&
	grep -qF '"+:^model\\.layers\\.2\\.mlp\\.(?:gate_proj|up_proj|gate_up_proj)$": {"bits": 4, "group_size": -1}' "$dir/groups/quantize_config.json" &&
	! grep -qF 'layers\\.3' "$dir/groups/quantize_config.json"
pass $? "gptq: rules with groups of their own"
refused 1 "groups of one size in a directory" "a rule's group for AWQ" "$kjv" --to awq --tensor-type 'mlp=awq:32' -o "$dir/no"
refused 2 "only: 32, 64, 128, channel" "groups that no kernel serves" "$kjv" --to gptq --group-size 16 -o "$dir/no"
refused 1 "has no groups" "a group size for bitsandbytes" "$kjv" --to bnb-nf4 --group-size 64 -o "$dir/no"
refused 2 "w4a16" "3 bits" "$kjv" --to gptq-3bit -o "$dir/no"
refused 2 "w8a16" "AWQ of 8 bits" "$kjv" --to awq-8bit -o "$dir/no"
finish
