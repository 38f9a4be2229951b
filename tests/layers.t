#!/bin/bash
# The plan of the house, enforced: who may include whom, one door per library, a row per file and a file per row, sizes.
cd "$(dirname "$0")/.." || exit 1
n=0 failed=0
sources=$(ls include/*.h base/*.[ch] quant/*.[ch] quant/*/*.[ch] formats/*.[ch] src/*.[ch] src/*/*.[ch] 2>/dev/null)

none() { # LABEL FUNCTION: passes where the function prints nothing; else that is shown
	local found
	found=$($2 2>&1)
	n=$((n + 1))
	[ -z "$found" ] && { echo "ok $n - $1"; return; }
	echo "not ok $n - $1"
	echo "$found" | sed 's/^/# /'
	failed=1
}

# "FILE TARGET" for each include in quotes, as paths from here
includes() {
	local f inc d
	grep -H '^ *# *include *"' $sources | sed 's/^\([^:]*\):.*"\(.*\)".*/\1 \2/' | while read -r f inc; do
		d=$(dirname "$f")
		if [ -e "$d/$inc" ]; then echo "$f $d/$inc"; elif [ -e "include/$inc" ]; then echo "$f include/$inc"; else echo "$f ?$inc"; fi
	done | awk '{ # a/b/../c is a/c
		while (match($2, /[^\/.]+\/\.\.\//)) $2 = substr($2, 1, RSTART - 1) substr($2, RSTART + RLENGTH)
		print }'
}

# The table of rooms: a file of the first column's room may include what the second column matches (a room's own files always).
rooms() {
	cat <<'ROWS'
include        ^$
base           ^include/heft\.h$
quant          ^include/heft\.h$
quant/x86      ^(include/heft\.h|quant/[^/]*\.h)$
quant/arm      ^(include/heft\.h|quant/[^/]*\.h)$
formats        ^(include/heft(_meta)?\.h|base/[^/]*\.h|quant/quant\.h)$
src/tokenizer  ^(include/heft\.h|base/[^/]*\.h)$
src/target     ^(include/heft\.h|base/[^/]*\.h|quant/(quant|scaled|fit|integer|block_codes|nf4)\.h|src/op\.h|src/arch\.h)$
src/packed     ^(include/heft\.h|base/[^/]*\.h|quant/(quant|integer)\.h|src/packed\.h)$
src            ^(include/heft(_(meta|coreml|manifest))?\.h|base/[^/]*\.h|quant/quant\.h|formats/format\.h|src/target/target\.h|src/packed/list\.h|src/tokenizer/tokenizer\.h)$
src/cmd        ^include/heft(_(meta|coreml|manifest))?\.h$
ROWS
}
directions() {
	includes | awk -v table="$(rooms)" '
	BEGIN { k = split(table, row, "\n"); for (i = 1; i <= k; i++) { split(row[i], c, / +/); allowed[c[1]] = c[2] } }
	{
		room = $1; sub(/\/[^\/]*$/, "", room); to = $2; sub(/\/[^\/]*$/, "", to)
		if (!(room in allowed)) print $1 ": no row for its room " room
		else if (to != room && $2 !~ allowed[room]) print $1 " includes " $2
	}'
}

# Doors: header of a library, the files that may include it
doors() {
	cat <<'ROWS'
cjson/         ^base/json[a-z_]*\.c$
yaml\.h        ^base/yaml\.c$
openssl/       ^base/sha256\.c$
oniguruma\.h   ^src/tokenizer/
pcre2          ^src/tokenizer/
utf8proc\.h    ^src/tokenizer/
omp\.h         ^src/(run|threads|diff|check)[a-z_]*\.c$
immintrin\.h   ^quant/x86/
arm_neon\.h    ^quant/arm/
zstd\.h        ^base/zstd\.c$
archive\.h     ^base/source
ROWS
}
doors_used() {
	grep -H '^ *# *include *<' $sources | sed 's/^\([^:]*\):.*<\(.*\)>.*/\1 \2/' | awk -v table="$(doors)" '
	BEGIN { k = split(table, row, "\n"); for (i = 1; i <= k; i++) { split(row[i], c, / +/); door[c[1]] = c[2] } }
	{ for (d in door) if ($2 ~ "^" d && $1 !~ door[d]) print $1 " includes <" $2 ">" }'
}

rows() { sed -n "s/^$2(\([a-z0-9_]*\)[,)].*/\1/p" "$1"; }
defined() { # TYPE PREFIX FILES...: names of the plug-ins that are defined with their own braces
	local type=$1 prefix=$2
	shift 2
	cat "$@" 2>/dev/null | sed -n "s/^const struct $type $prefix\([a-z0-9_]*\) = .*/\1/p"
}
row_for_file() { # a row without its definition does not link; macros define some encodings and kernels
	for t in $(defined heft_encoding quant_ quant/*.c); do rows quant/list.h ENCODING | grep -qx "$t" || echo "quant_$t has no row"; done
	for t in $(rows quant/list.h ENCODING); do grep -Eqw "quant_$t|$t" quant/*.c || echo "row $t has no file"; done
	for t in $(defined format format_ formats/*.c); do rows formats/list.h FORMAT | grep -qx "$t" || echo "format_$t has no row"; done
	for t in $(rows formats/list.h FORMAT); do [ -e "formats/$t.c" ] || echo "row $t has no formats/$t.c"; done
	for t in $(defined target target_ src/target/*.c); do rows src/target/list.h TARGET | grep -qx "$t" || echo "target_$t has no row"; done
	for t in $(rows src/target/list.h TARGET); do [ -e "src/target/$t.c" ] || echo "row $t has no src/target/$t.c"; done
	for t in $(defined packed_layout packed_ src/packed/*.c); do rows src/packed/list.h LAYOUT | grep -qx "$t" || echo "packed_$t has no row"; done
	for t in $(rows src/packed/list.h LAYOUT); do grep -qw "packed_$t" src/packed/*.c || echo "row $t has no file"; done
	for t in $(defined tool tool_ src/cmd/*.c); do rows src/cmd/list.h TOOL | grep -qx "$t" || echo "tool_$t has no row"; done
	for t in $(rows src/cmd/list.h TOOL); do
		[ -e "src/cmd/$t.c" ] || echo "row $t has no src/cmd/$t.c"
		[ -e "man/heft-$t.1" ] || echo "row $t has no man/heft-$t.1"
	done
	for f in man/heft-*.1; do
		[ -e "$f" ] || continue
		t=${f#man/heft-}
		rows src/cmd/list.h TOOL | grep -qx "${t%.1}" || echo "$f has no row"
	done
	for t in $(defined quant_kernel kernel_ quant/*/*.c); do grep -Eq "\($t\)" quant/kernels.h || echo "kernel_$t has no row"; done
}

# Which functions are longer than 100 lines, which files than 600 without their constant tables; the median function
measure=$(for f in $sources; do awk -v f="$f" '
	/^[a-z].*=.*\{$/ || /^\} [a-z_]+\[\] = \{$/ { table = 1 }
	!table { lines++ }
	/^\};/ { table = 0 }
	/^\{/ { begin = NR }
	/^\}/ && begin { print "function", NR - begin - 1, f ":" begin; begin = 0 }
	END { print "file", lines + 0, f }' "$f"; done)
long_functions() { echo "$measure" | awk '$1 == "function" && $2 > 100 { print $3 ": " $2 " lines" }'; }
long_files() { echo "$measure" | awk '$1 == "file" && $2 > 600 { print $3 ": " $2 " lines" }'; }
long_median() {
	echo "$measure" | awk '$1 == "function" { print $2 }' | sort -n | awk '{ v[NR] = $1 } END { m = v[int((NR + 1) / 2)]; if (m >= 15) print "it has " m " lines" }'
}
# the names are those of the doors to untrusted bytes
unfuzzed() {
	for p in safetensors gguf npy llama2c archive json arch tokenizer edit imatrix packed pickle zip pytorch coreml; do
		ls tests/fuzz/$p*.c >/dev/null 2>&1 || echo "tests/fuzz/$p.c is missing"
	done
}
talks() {
	grep -nE '\b(printf|fprintf|puts|exit|abort)\(' $(ls base/*.c quant/*.c quant/*/*.c formats/*.c src/*.c src/packed/*.c src/target/*.c src/tokenizer/*.c 2>/dev/null) |
		grep -v '^base/arena\.c' # out_of_memory
}

none "include directions" directions
none "one door per library" doors_used
none "a row for every file, a file for every row" row_for_file
none "no function over 100 lines" long_functions
none "no file over 600 lines, constant tables apart" long_files
none "the median function is under 15 lines" long_median
none "a fuzz target per parser" unfuzzed
none "the library neither prints nor exits" talks
echo "1..$n"
exit $failed
