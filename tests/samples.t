#!/bin/bash
# The committed samples are those that the generator writes.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${BUILD:-build}/tests/helper/mksamples" "$dir/samples" && diff -r "$dir/samples" "$(dirname "$0")/../testdata/samples" >"$dir/diff"
[ $? = 0 ] && echo "ok 1 - testdata/samples is what mksamples writes" || { echo "not ok 1 - testdata/samples is what mksamples writes"; sed 's/^/# /' "$dir/diff"; }
echo 1..1
