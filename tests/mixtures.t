#!/bin/bash
# Every recipe over the models that testdata/mixtures describes, with and without an importance matrix and under options, against digests of
# what llama-quantize --dry-run decides (tests/oracle/mixtures --record). One test per model.
. "$(dirname "$0")/lib.sh"
recipe=$build/tests/helper/recipe
digests=tests/digests/mixtures.txt

step=1
[ -z "${HEFT_SANITIZE:-}" ] || step=10 # that build is slow
set -f # options hold patterns
for model in $(sed -n 's/^\([a-z][^ ]*\) .*/\1/p' $digests | uniq); do
	n=0
	grep "^$model " $digests | awk -v step=$step 'NR % step == 0' >"$dir/rows"
	while read -r line; do
		who=${line%%|*} rest=${line#*|}
		opts=${rest% * *}
		# shellcheck disable=SC2086
		got=$("$recipe" "testdata/mixtures/$model.txt" ${who#* } $opts | cksum)
		n=$((n + 1))
		[ "$got" = "${rest#"$opts "}" ] || echo "# differs: $who $opts"
	done <"$dir/rows" >"$dir/log"
	[ $n -gt $((40 / step)) ] && [ ! -s "$dir/log" ]
	ok $? "$model: $n decisions" || shown "$dir/log"
done
finish
