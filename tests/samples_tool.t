#!/bin/bash
# Samples are tests by their name, at the command's level: good-* is read; bad-E202-* ends with that code, one line, status 1, no output.
. "$(dirname "$0")/lib.sh"

tool() { # LABEL CODE ARGS...: CODE empty: it works
	local label=$1 code=$2 rc
	shift 2
	rm -rf "$dir/out"
	mkdir "$dir/out"
	(cd "$dir/out" && exec "$heft" "$@") >"$dir/stdout" 2>"$dir/stderr" </dev/null
	rc=$?
	if [ -z "$code" ]; then
		[ $rc = 0 ]
	else
		[ $rc = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -q "\[$code\]" "$dir/stderr" && [ -z "$(ls -A "$dir/out")" ]
	fi
	ok $? "$label" && return
	echo "# exit status $rc, wanted ${code:-success}; files: $(ls -A "$dir/out" | tr '\n' ' ')"
	shown "$dir/stderr"
}

for f in testdata/samples/* testdata/pytorch/*; do
	name=$(basename "$f")
	case $name in
	good-*) code=;;
	bad-* | unsupported-*) code=$(expr "$name" : '[a-z]*-\(E[0-9]*\)-') || code=E;;
	*) continue;;
	esac
	# of a model whose shards are not there yet, info says what is known
	case $name in *-E210-*) known=;; *) known=$code;; esac
	tool "info $name" "$known" info "$PWD/$f"
	# safetensors has no blocks: those become numbers
	case $name in *iq2_xxs* | *packed*) type=f32;; *) type=keep;; esac
	tool "convert $name" "$code" convert "$PWD/$f" --arch none --to safetensors -t $type -o x
done
[ $tap_n -gt 100 ]
ok $? "samples are there"
finish
