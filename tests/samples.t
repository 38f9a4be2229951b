#!/bin/bash
# Samples are tests by their name: good-* is read, bad-* and unsupported-* end with one line and status 1, by every way in.
. "$(dirname "$0")/lib.sh"

tool() { # LABEL WANTED-STATUS ARGS...
	local label=$1 want=$2 rc
	shift 2
	rm -rf "$dir/out"
	mkdir "$dir/out"
	(cd "$dir/out" && exec "$heft" "$@") >"$dir/stdout" 2>"$dir/stderr" </dev/null
	rc=$?
	[ $rc = "$want" ] && { [ "$want" = 0 ] || { [ "$(wc -l <"$dir/stderr")" -eq 1 ] && [ -z "$(ls -A "$dir/out")" ]; }; }
	ok $? "$label" && return
	echo "# exit status $rc, wanted $want; files: $(ls -A "$dir/out" | tr '\n' ' ')"
	shown "$dir/stderr"
}

for f in testdata/gguf/* testdata/safetensors/*; do
	case $(basename "$f") in
	good-*) want=0;;
	bad-* | unsupported-*) want=1;;
	*) continue;;
	esac
	tool "info $f" $want info "$PWD/$f"
	tool "convert $f" $want convert "$PWD/$f" --arch none --to safetensors -t keep -o x
done
finish
