#!/bin/bash
# The committed samples are those that the generator writes.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0 failed=0
for set in samples imatrix; do
	n=$((n + 1))
	"${BUILD:-build}/tests/helper/mksamples" "$dir/$set" $set && diff -r "$dir/$set" "$(dirname "$0")/../testdata/$set" >"$dir/diff"
	[ $? = 0 ] && echo "ok $n - testdata/$set is what mksamples writes" && continue
	echo "not ok $n - testdata/$set is what mksamples writes"
	sed 's/^/# /' "$dir/diff"
	failed=1
done
echo 1..$n
exit $failed
