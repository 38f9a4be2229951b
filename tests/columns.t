#!/bin/bash
# Importance matrices with layouts of GPU runtimes, which keep the source's own names: each matrix is weighed by its own entry, of experts by
# its part of one.
. "$(dirname "$0")/lib.sh"
im=$kjv/imatrix.dat

to() { "$heft" convert "$1" -q -f --to "${@:3}" -o "$2" 2>"$dir/log"; }
refused() { # WORDS LABEL ARGS...
	"$heft" convert "${@:3}" -o "$dir/no" 2>"$dir/log"
	[ $? = 1 ] && [ ! -e "$dir/no" ] && grep -qF -e "$1" "$dir/log"
	pass $? "refused: $2"
}
floats() { "$heft" convert "$1" --arch none --to safetensors -t f32 -q -f -o "$2" 2>"$dir/log"; }
same() { "$heft" diff "$dir/a.safetensors" "$dir/b.safetensors" --arch none --max-rmse 0 >"$dir/log" 2>&1; }
# names of the tensors that differ between two directories
differ() { "$heft" diff "$1" "$2" --arch none --json 2>"$dir/log" | perl -0777 -ne 'while (/"name": "([^"]*)"[^{}]*\{[^{}]*"max": (?!0[,}])/g) { print "$1\n" }' | sort -u; }

# the way of a GGUF, whose names are the matrix's
"$heft" convert "$kjv" -t bf16 -q -o "$dir/kjv.gguf" 2>"$dir/log"
for t in w4a16 w4a16-asym nvfp4a16 mxfp4a16; do
	to "$kjv" "$dir/plain" $t && to "$kjv" "$dir/a" $t --imatrix "$im" --report "$dir/a.json" && to "$dir/kjv.gguf" "$dir/b" $t --imatrix "$im" && floats "$dir/a" "$dir/a.safetensors" && floats "$dir/b" "$dir/b.safetensors" &&
		same
	pass $? "$t: the same by the checkpoint's names and by GGUF's"
	! cmp -s "$dir/plain/model.safetensors" "$dir/a/model.safetensors" && grep -q '"weighted_relative": 0\.' "$dir/a.json"
	pass $? "$t: weights change codes, and the report has the weighted error"
done

# experts
"$build/tests/helper/mkmodel" mixtral "$dir/moe" hidden=512 ffn=256 layers=1 experts=4 vocab=4096 >"$dir/log" && cp "$kjv"/token* "$dir/moe/"
"$heft" convert "$dir/moe" -t bf16 -q -o "$dir/moe.gguf" 2>"$dir/log" && "$build/tests/helper/mkimatrix" "$dir/moe.gguf" "$dir/one.dat" 2>"$dir/log"
pass $? "a model with experts and a matrix for it"
perl -0777 -pe 's/(blk\.0\.ffn_up_exps\.weight.{8})(.{2048})(.{2048})/$1 . $2 . join("", reverse unpack("(a4)*", $3))/se' "$dir/one.dat" >"$dir/other.dat"
to "$dir/moe" "$dir/a" w4a16 --imatrix "$dir/one.dat" && to "$dir/moe.gguf" "$dir/b" w4a16 --imatrix "$dir/one.dat" && floats "$dir/a" "$dir/a.safetensors" && floats "$dir/b" "$dir/b.safetensors" &&
	same
pass $? "experts: the same by the checkpoint's names and by GGUF's"
to "$dir/moe" "$dir/b" w4a16 --imatrix "$dir/other.dat" && floats "$dir/b" "$dir/b.safetensors"
[ "$(differ "$dir/a.safetensors" "$dir/b.safetensors")" = model.layers.0.block_sparse_moe.experts.1.w3.weight ]
pass $? "experts: the second expert's part weighs the second expert" || differ "$dir/a.safetensors" "$dir/b.safetensors" | head -5 | sed 's/^/# /'

refused "nothing is searched" "a layout without a choice" "$kjv" --to fp8-dynamic --imatrix "$im"
refused "--method rtn has nothing" "a method without a choice" "$kjv" --to w4a16 --method rtn --imatrix "$im"
refused "--arch none" "a model without a family" "$kjv" --to w4a16 --arch none --imatrix "$im"
refused "another model's" "a matrix of another model" "$kjv" --to w4a16 --imatrix "$dir/one.dat"
finish
