#!/bin/bash
# Projector files: heft convert --mmproj. The checkpoint is that of testdata/plans/mmproj-mistral3, all its numbers zero.
. "$(dirname "$0")/lib.sh"
tool=convert
plan=testdata/plans/mmproj-mistral3

header() { # the safetensors header of tensors.txt; the size of its data goes to $dir/size
	awk '{ size = 2; shape = ""
		for (i = 3; i <= NF; i++) { size *= $i; shape = shape (i > 3 ? "," : "") $i }
		printf "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%d,%d]}", (NR > 1 ? "," : "{"), $1, toupper($2), shape, at, at + size
		at += size } END { print "}"; print at >"/dev/stderr" }' "$plan/tensors.txt" 2>"$dir/size"
}

m=$dir/Net-that-sees
mkdir "$m"
cp "$plan"/*.json "$m"
head=$(header)
safetensors "$m/model.safetensors" "$head" "$(cat "$dir/size")"

(cd "$dir" && "$heft" convert Net-that-sees --mmproj -q -t q8_0) >"$dir/log" 2>&1
[ -e "$dir/mmproj-Net-That-Sees-Q8_0.gguf" ]
ok $? 'the name begins with mmproj- and has no size' || shown "$dir/log"
"$heft" info "$dir/mmproj-Net-That-Sees-Q8_0.gguf" --metadata --tensors >"$dir/info" 2>&1
for line in 'general.architecture.*clip' 'general.type.*mmproj' 'v.patch_embd.weight.*f32' 'mm.patch_merger.weight.*f32' 'v.blk.0.ffn_up.weight.*q8_0'; do
	grep -q "$line" "$dir/info"
	ok $? "$line" || shown "$dir/info"
done
! grep -q tokenizer "$dir/info"
ok $? 'no vocabulary'
"$heft" convert "$m" --mmproj -n -t f16 >"$dir/info" 2>&1
grep -q 'v.patch_embd.weight.*bf16  f16' "$dir/info"
ok $? 'convolutions are f16 in an f16 file' || shown "$dir/info"
grep -q 'language_model.model.norm.weight.*of the language model' "$dir/info"
ok $? 'what is left out is told' || shown "$dir/info"

says 1 'of the language model' 'other options of families' "$m" --mmproj --mtp -n
says 1 'a projector file has no vocabulary' 'no vocabulary alone' "$m" --mmproj --vocab-only -n
says 1 '--mmproj: only a checkpoint' 'not from a GGUF' "$dir/mmproj-Net-That-Sees-Q8_0.gguf" --mmproj -n
says 1 "no projector's family for architecture 'LlamaForCausalLM'" 'a model that does not see' "$kjv" --mmproj -n
says 1 "has no 'projector' row" "a family file that is not one" "$m" --mmproj --arch src/arch/llama.arch -n
says 0 'v.pre_ln.weight' 'a family file that is one' "$m" --mmproj --arch src/arch/mmproj_pixtral.arch -n
rm "$m/preprocessor_config.json"
says 1 'image_mean and image_std stand in preprocessor_config.json' 'a file that is missing' "$m" --mmproj -n
finish
