#!/bin/bash
# ML Programs of Core ML: what is said of them, and what is refused of damaged ones.
. "$(dirname "$0")/lib.sh"
good=testdata/coreml/good-ios18.mlpackage inside=Data/com.apple.CoreML

pass() { ok "$1" "$2" || shown "$dir/log"; }
fresh() { rm -rf "$dir/x.mlpackage" && cp -R "$good" "$dir/x.mlpackage" && chmod -R u+w "$dir/x.mlpackage"; }
put() { # FILE OFFSET BYTES
	printf '%b' "$3" | dd of="$dir/x.mlpackage/$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
model=$inside/model.mlmodel weights=$inside/weights/weight.bin

tool=info
says 0 '96 x 64' "info lists constants with their shapes" $good --tensors
says 0 '"format": "coreml"' "info --json" $good --json
tool=diff
says 0 'exact' "diff: two packages, constant by constant" $good testdata/coreml/good-ios16.mlpackage
tool=check
says 0 '0 errors' "check: a good package" $good

refused() { # CODE TEXT LABEL: info refuses the package that was damaged
	"$heft" info "$dir/x.mlpackage" >"$dir/log" 2>&1
	[ $? = 1 ] && [ "$(wc -l <"$dir/log")" = 1 ] && grep -q "\[$1\]" "$dir/log" && grep -q -e "$2" "$dir/log"
	pass $? "refused: $3"
	"$heft" check "$dir/x.mlpackage" >"$dir/log" 2>&1
	[ $? = 1 ] && grep -q -e "$2" "$dir/log"
	pass $? "check tells: $3"
}
fresh && put $weights 64 '\0'
refused E203 'DEADBEEF' "a wrong sentinel"
fresh && put $weights 68 '\002'
refused E206 'type of the numbers' "a wrong type"
fresh && put $weights 72 '\001'
refused E207 'size is not' "a wrong size"
fresh && put $weights 80 '\001'
refused E202 'not inside' "a wrong offset of the numbers"
fresh && put $weights 87 '\177'
refused E202 'not inside' "an offset behind the file"
fresh && put $weights 4 '\001'
refused E217 'version 1' "another version of blob storage"
fresh && perl -pi -e 's#\@model_path/weights/weight.bin#\@model_path/weights/weight.bix#' "$dir/x.mlpackage/$model"
refused E203 "weight.bix" "a value in another file"
fresh && perl -0777 -pi -e 's/(weight\.bin\x10)\x40/$1\x41/' "$dir/x.mlpackage/$model"
refused E202 'multiples of 64' "a value at an odd offset"
fresh && rm "$dir/x.mlpackage/$weights"
refused E210 'is missing' "no weight.bin"
fresh && rm "$dir/x.mlpackage/$model"
refused E101 'model.mlmodel' "no model.mlmodel"
fresh && perl -pi -e 's#com.apple.CoreML/model#../../../model#' "$dir/x.mlpackage/Manifest.json"
refused E203 'leads to no file' "a manifest that leads out of the package"
fresh && head -c 1000 "$good/$model" >"$dir/x.mlpackage/$model"
refused E203 'no field' "half a program"
fresh && perl -0777 -pi -e 's/fc_weight_0/fc_weight_9/' "$dir/x.mlpackage/$model"
refused E203 'nothing makes it' "a name that leads nowhere"
fresh && : >"$dir/x.mlpackage/$model"
refused E203 'no ML Program' "an empty program"
fresh && printf '\xa2\x1f\x00' >"$dir/x.mlpackage/$model"
refused E203 'another kind of model' "a neural network"
# made by hand: tests/helper/mkcoreml has a damage for each row
mkcoreml=$build/tests/helper/mkcoreml
damages() {
	cat <<'ROWS'
axis     E207 its axis is none of the data's
cycle    E203 'other', which is not made before it
dangling E203 'nobody' is taken here, but nothing makes it
dims     E207 its shape is larger than any file
empty    E203 holds no ML Program
group    E203 no field of a message begins here
kind     E203 another kind of model
length   E203 no field of a message begins here
odd      E202 offsets are multiples of 64
offset   E202 not inside the file
scales   E207 shape does not divide the data's
self     E203 'wrong', which is not made before it
sentinel E203 DEADBEEF
short    E202 not inside the file
size     E207 the size is not that of the shape
table    E207 its table has not one number for each index
twice    E203 a second constant 'w0'
type     E206 type of the numbers
varint   E203 no field of a message begins here
wire     E203 no field of a message begins here
ROWS
}
while read -r name code words; do
	rm -rf "$dir/x.mlpackage" && "$mkcoreml" "$dir/x.mlpackage" damage="$name" || exit 1
	refused "$code" "$words" "damaged on purpose: $name"
	for type in int8 f16; do
		"$heft" convert "$dir/x.mlpackage" --to coreml -t $type -o "$dir/no.mlpackage" >"$dir/log" 2>&1
		[ $? = 1 ] && [ "$(wc -l <"$dir/log")" = 1 ] && grep -q "\[$code\]" "$dir/log" && [ "$(cd "$dir" && echo *)" = "log x.mlpackage" ]
		pass $? "convert -t $type: one line, nothing written: $name"
	done
done < <(damages)
{ damages | sed 's/ .*//'; echo nan; echo nesting; } | sort >"$dir/a" && "$mkcoreml" --damages | sort | diff "$dir/a" - >"$dir/log"; pass $? "every damage is tried"
rm -rf "$dir/x.mlpackage" "$dir/a" && "$mkcoreml" "$dir/x.mlpackage" damage=nesting && "$heft" info "$dir/x.mlpackage" --tensors >"$dir/log" 2>&1 && grep -q '64 x 64' "$dir/log"
pass $? "two thousand blocks in one another: their constants are listed"
finish
