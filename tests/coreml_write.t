#!/bin/bash
# Packages of Core ML written anew: every type, back to floats, what is never larger, what is refused and leaves nothing.
. "$(dirname "$0")/lib.sh"
new=testdata/coreml/good-ios18.mlpackage old=testdata/coreml/good-ios16.mlpackage inside=Data/com.apple.CoreML
model=$inside/model.mlmodel weights=$inside/weights/weight.bin

pass() { ok "$1" "$2" || shown "$dir/log"; }
package() { # OUT SRC ARGS...
	local out=$dir/$1.mlpackage
	shift
	"$heft" convert "$1" --to coreml -o "$out" "${@:2}" >"$dir/log" 2>&1
}
bytes() { # PACKAGE
	cat "$1/$model" "$1/$weights" | wc -c
}
near() { # DB A B
	"$heft" diff "$2" "$3" --min-sqnr "$1" --quiet >>"$dir/log" 2>&1
}

types() { # SRC TYPE DB...: the type's bytes and numbers, and that floats come back
	local src=$1 t db
	shift
	while [ $# -gt 0 ]; do
		t=$1 db=$2
		shift 2
		package "$t" "$src" -t "$t" && near "$db" "$src" "$dir/$t.mlpackage" && [ "$(bytes "$dir/$t.mlpackage")" -lt "$(bytes "$src")" ]
		pass $? "$(basename "$src"): $t"
		"$heft" check "$dir/$t.mlpackage" >"$dir/log" 2>&1 && grep -q '0 errors' "$dir/log"
		pass $? "check finds nothing wrong with it"
		package "$t-f16" "$dir/$t.mlpackage" -t f16 && "$heft" diff "$dir/$t.mlpackage" "$dir/$t-f16.mlpackage" --max-abs 0 --quiet >>"$dir/log" 2>&1 &&
			cmp "$dir/$t-f16.mlpackage/$model" "$src/$model" >>"$dir/log"
		pass $? "back to f16: the same numbers, the program that it was"
		rm -rf "$dir/$t.mlpackage" "$dir/$t-f16.mlpackage"
	done
}
types $new int8 40 uint8 40 int4 18 uint4 18 palette1 3 palette2 8 palette3 13 palette4 18 palette6 30 palette8 40
types $old int8 40 uint8 40 palette1 3 palette2 8 palette4 18 palette6 30 palette8 40

package same $new -t f16 && cmp "$dir/same.mlpackage/$model" $new/$model >"$dir/log" && cmp "$dir/same.mlpackage/$weights" $new/$weights >>"$dir/log" &&
	cmp "$dir/same.mlpackage/Manifest.json" $new/Manifest.json >>"$dir/log"
pass $? "nothing to change: the same files"
package one $new -t palette4 -j 1 && package many $new -t palette4 -j 7 && diff -r "$dir/one.mlpackage" "$dir/many.mlpackage" >"$dir/log"
pass $? "the same bytes for 1 and 7 threads"
for group in 16 channel tensor; do
	package "g$group" $new -t int4 --group-size $group && near 14 $new "$dir/g$group.mlpackage"
	pass $? "int4, groups of $group"
	package "p$group" $new -t palette4 --group-size $group && near 14 $new "$dir/p$group.mlpackage"
	pass $? "palette4, groups of $group"
done
package some $new -t int8 --targets fc_ && grep -q 'out_y_0  *f16  *f16' "$dir/log" && grep -q 'fc_weight_0  *f16  *int8' "$dir/log"
pass $? "--targets"
package rest $new -t int8 --ignore FC_W && grep -q 'fc_weight_0  *f16  *f16' "$dir/log" && grep -q 'out_y_0  *f16  *int8' "$dir/log"
pass $? "--ignore, large and small letters alike"
package rules $new -t int8 --tensor-type 'FC_W=palette4:tensor' --tensor-type fc_=int4 && grep -q 'fc_weight_0  *f16  *palette4 .*per tensor' "$dir/log" &&
	grep -q 'out_y_0  *f16  *int8' "$dir/log" && near 14 $new "$dir/rules.mlpackage"
pass $? "--tensor-type: the first rule that matches, with a group; the rest as -t says"
package part "$new" -t int8 && package back "$dir/part.mlpackage" -t f16 --targets fc_w && near 40 $new "$dir/back.mlpackage" &&
	"$heft" info "$dir/back.mlpackage" --tensors >"$dir/log" && grep 'fc_weight_0' "$dir/log" | grep -q ' f16 '
pass $? "one constant decompressed"
package dry $new -t int4 -n && grep -q 'per 32 columns' "$dir/log" && [ ! -e "$dir/dry.mlpackage" ]
pass $? "-n writes nothing"
package json $new -t int4 --json && grep -q '"relative"\|"rmse"' "$dir/log" && grep -q '"constants"' "$dir/log"
pass $? "--json"

# the packages that coremltools made of the same model (all but its zero scales, of which neither has numbers)
vectors=../shared/data/vectors/coreml
vector() { # SOURCE NAME TYPE GROUP
	local v=$vectors/iOS$1_$2.mlpackage
	[ -d "$v" ] || { skip "vector iOS$1_$2" "$vectors is missing"; return; }
	rm -rf "$dir/v.mlpackage"
	package v "$vectors/iOS$1_fp16.mlpackage" -t "$3" ${4:+--group-size $4} || { pass 1 "vector iOS$1_$2"; return; }
	case $3 in
	palette*) # never worse in one constant than k-means of coremltools
		local ours theirs
		theirs=$("$heft" diff "$vectors/iOS$1_fp16.mlpackage" "$v" --json | sed -n '/"total"/,/}/s/.*"rmse": \([0-9.e-]*\).*/\1/p' | head -n 1)
		ours=$("$heft" diff "$vectors/iOS$1_fp16.mlpackage" "$dir/v.mlpackage" --json | sed -n '/"total"/,/}/s/.*"rmse": \([0-9.e-]*\).*/\1/p' | head -n 1)
		echo "rmse: $ours, of coremltools $theirs" >"$dir/log"
		[ -n "$ours" ] && awk -v a="$ours" -v b="$theirs" 'BEGIN { exit !(a <= b * 1.000001) }';;
	*) "$heft" diff "$v" "$dir/v.mlpackage" --max-abs 0 --quiet >"$dir/log" 2>&1;;
	esac
	pass $? "vector iOS$1_$2"
}
vector 16 int8_sym_pc int8 channel
vector 16 int8_sym_pt int8 tensor
vector 18 int8_sym_pc int8 channel
vector 18 int8_sym_pt int8 tensor
vector 18 int4_sym_b32 int4 32
vector 18 uint4_lin_b32 uint4 32
vector 16 pal4_kmeans_pt palette4 tensor
vector 16 pal8_kmeans_pt palette8 tensor
vector 18 pal4_kmeans_pt palette4 tensor
vector 18 pal4_kmeans_g16 palette4 16
vector 18 pal6_kmeans_pt palette6 tensor
vector 18 pal8_kmeans_pt palette8 tensor

# made by hand: several functions, axes the other way round, constants that are not held at once, numbers that cannot be compressed
mkcoreml=$build/tests/helper/mkcoreml
"$mkcoreml" "$dir/multi.mlpackage" functions=3 layers=2 rows=96 cols=128
for t in int4 palette4 uint8; do
	package multi-$t "$dir/multi.mlpackage" -t $t && near 17 "$dir/multi.mlpackage" "$dir/multi-$t.mlpackage" && "$heft" check "$dir/multi-$t.mlpackage" >"$dir/log" 2>&1 &&
		[ "$(wc -c <"$dir/multi-$t.mlpackage/$weights")" -lt $((96 * 128 * 2 * 2 * 6 / 10)) ]
	pass $? "three functions, $t: what they share is written once"
	package multi-back "$dir/multi-$t.mlpackage" -t f16 && cmp "$dir/multi-back.mlpackage/$model" "$dir/multi.mlpackage/$model" >"$dir/log" &&
		"$heft" diff "$dir/multi-$t.mlpackage" "$dir/multi-back.mlpackage" --max-abs 0 --quiet >>"$dir/log" 2>&1
	pass $? "and back"
	rm -rf "$dir/multi-back.mlpackage"
done
"$mkcoreml" "$dir/long.mlpackage" rows=32 cols=140000 layers=1
"$mkcoreml" "$dir/turned.mlpackage" rows=4200 cols=1024 layers=1 transposed=1
for of in "long int8 tensor 36" "long uint8 tensor 36" "long palette4 tensor 18" "long int4 channel 13" "turned int8 channel 38" "turned palette4 64 18" "turned uint4 8 18"; do
	read -r p t g db <<<"$of"
	package one "$dir/$p.mlpackage" -t "$t" --group-size "$g" -j 1 -f && package many "$dir/$p.mlpackage" -t "$t" --group-size "$g" -j 5 -f &&
		diff -r "$dir/one.mlpackage" "$dir/many.mlpackage" >"$dir/log" && near "$db" "$dir/$p.mlpackage" "$dir/one.mlpackage"
	pass $? "$p: $t, $g"
	rm -rf "$dir/one.mlpackage" "$dir/many.mlpackage"
done
rm -rf "$dir/long.mlpackage" "$dir/turned.mlpackage"
"$mkcoreml" "$dir/nan.mlpackage" damage=nan
for t in int8 palette4; do
	package nan-$t "$dir/nan.mlpackage" -t $t && grep -q 'w0  *f16  *f16 .*holds NaN' "$dir/log" && grep -q "w1  *f16  *$t" "$dir/log" && "$heft" check "$dir/nan-$t.mlpackage" >"$dir/log" 2>&1
	pass $? "$t: a constant with NaN stays"
	package nan-plan "$dir/nan.mlpackage" -t $t -n && grep -q 'w0  *f16  *f16 .*holds NaN' "$dir/log"; pass $? "and the plan says so"
	"$heft" cat "$dir/nan-$t.mlpackage" w0 --as raw >"$dir/a" 2>"$dir/log" && "$heft" cat "$dir/nan.mlpackage" w0 --as raw | cmp - "$dir/a" >>"$dir/log"; pass $? "to the byte"
done

# what heft does not know stays: a field behind the program, a file that the manifest lists
cp -R $new "$dir/more.mlpackage" && chmod -R u+w "$dir/more.mlpackage" && printf '\302\273\001\003abc' >>"$dir/more.mlpackage/$model" &&
	echo '{}' >"$dir/more.mlpackage/$inside/Metadata.json" &&
	perl -0777 -pi -e 's#("itemInfoEntries": \{)#$1"AAAA": {"author": "x", "name": "Metadata.json", "path": "com.apple.CoreML/Metadata.json"},#' "$dir/more.mlpackage/Manifest.json"
package kept "$dir/more.mlpackage" -t int8 && [ "$(tail -c 7 "$dir/kept.mlpackage/$model" | od -An -c | tr -d ' ')" = '302273001003abc' ]
pass $? "unknown fields are kept"
cmp "$dir/more.mlpackage/Manifest.json" "$dir/kept.mlpackage/Manifest.json" >"$dir/log" && cmp "$dir/more.mlpackage/$inside/Metadata.json" "$dir/kept.mlpackage/$inside/Metadata.json" >>"$dir/log"
pass $? "other files that the manifest lists are kept"

refused() { # STATUS TEXT LABEL SRC ARGS...: one line of its own, no folder
	local status=$1 text=$2 label=$3
	shift 3
	package no "$@"
	[ $? = "$status" ] && grep -q -e "$text" "$dir/log" && [ "$(grep -c . "$dir/log")" -le 2 ] && [ ! -e "$dir/no.mlpackage" ]
	pass $? "refused: $label"
}
refused 1 'no constant can become int4; .* needs CoreML8 (iOS 18), the program is made for CoreML6' "int4 before iOS 18" $old -t int4
refused 1 'groups need CoreML8' "groups before iOS 18" $old -t palette4 --group-size 16
refused 1 'no multiple of the group' "groups that do not divide" $new -t palette4 --group-size 64
refused 1 "is compressed already" "compressing twice" "$dir/kept.mlpackage" -t int8 --targets weight
refused 1 "matches no constant" "a pattern that matches nothing" $new -t int8 --targets nobody
refused 1 "does not write 'q4_k_m'" "a type of GGUF" $new -t q4_k_m
refused 1 "no constant can become int8; the largest, 'w0', holds NaN" "nothing but NaN" "$dir/nan.mlpackage" -t int8 --targets w0
refused 1 "f16 has no groups" "groups of floats" $new -t f16 --group-size 32
refused 1 "is no ML Program" "another source" $kjv -t int8
refused 1 "Core ML has no 'q8_0'" "a rule with a type of GGUF" $new -t int8 --tensor-type fc=q8_0
refused 1 "rule 'nobody=int8' matches no\|'nobody=int8' matches no constant" "a rule that matches nothing" $new -t int8 --tensor-type nobody=int8
refused 1 "a number, channel or tensor" "a group that is none" $new -t int8 --tensor-type fc=int4:many
refused 2 "does not go with --to coreml" "an option for GGUF" $new -t int8 --pure
refused 2 "takes one type and one folder" "no type" $new
says() { "$heft" convert "${@:3}" >"$dir/log" 2>&1; [ $? = "$1" ] && grep -q -e "$2" "$dir/log"; }
says 1 'ends in .mlpackage' $new --to coreml -t int8 -o "$dir/no" && [ ! -e "$dir/no" ]; pass $? "refused: a folder of another name"
says 1 'E1..\|E4..' $new --to coreml -t int8 -o "$dir/same.mlpackage" && cmp "$dir/same.mlpackage/$weights" $new/$weights >>"$dir/log"; pass $? "refused: what exists"
says 0 '' $new --to coreml -t int8 -f -o "$dir/same.mlpackage" && ! cmp -s "$dir/same.mlpackage/$weights" $new/$weights; pass $? "-f replaces it"
says 1 'also' "$dir/same.mlpackage" --to coreml -t f16 -f -o "$dir/same.mlpackage"; pass $? "refused: the input"
says 1 "int8" $kjv -t int8 -o "$dir/no.gguf" && [ ! -e "$dir/no.gguf" ]; pass $? "refused: a type of Core ML for GGUF"

fresh() { rm -rf "$dir/x.mlpackage" && cp -R "$new" "$dir/x.mlpackage" && chmod -R u+w "$dir/x.mlpackage"; }
put() { # FILE OFFSET BYTES
	printf '%b' "$3" | dd of="$dir/x.mlpackage/$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
fresh && put $weights 64 '\0'; refused 1 'DEADBEEF' "a wrong sentinel" "$dir/x.mlpackage" -t int8
fresh && put $weights 68 '\002'; refused 1 'type of the numbers' "a wrong type" "$dir/x.mlpackage" -t int8
fresh && put $weights 80 '\001'; refused 1 'not inside' "a wrong offset" "$dir/x.mlpackage" -t int8
fresh && head -c 1000 $new/$model >"$dir/x.mlpackage/$model"; refused 1 'no field' "half a program" "$dir/x.mlpackage" -t int8
fresh && perl -0777 -pi -e 's/fc_weight_0/fc_weight_9/' "$dir/x.mlpackage/$model"; refused 1 'nothing makes it' "a name that leads nowhere" "$dir/x.mlpackage" -t int8
fresh && perl -pi -e 's#com.apple.CoreML/weights#../../weights#' "$dir/x.mlpackage/Manifest.json"; refused 1 'lists what is no file' "a manifest that leads out" "$dir/x.mlpackage" -t int8
finish
