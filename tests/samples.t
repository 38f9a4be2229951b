#!/bin/bash
# The committed samples are those that the generator writes.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0 failed=0
for set in samples imatrix manifest pytorch; do
	n=$((n + 1))
	case $set in pytorch) helper=mkpickle;; *) helper=mksamples;; esac
	# shellcheck disable=SC2046
	"${BUILD:-build}/tests/helper/$helper" "$dir/$set" $([ $helper = mkpickle ] || echo $set) && diff -r "$dir/$set" "$(dirname "$0")/../testdata/$set" >"$dir/diff"
	[ $? = 0 ] && echo "ok $n - testdata/$set is what $helper writes" && continue
	echo "not ok $n - testdata/$set is what $helper writes"
	sed 's/^/# /' "$dir/diff"
	failed=1
done
echo 1..$n
exit $failed
