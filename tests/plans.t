#!/bin/bash
# Families against names and shapes alone: testdata/plans/NAME holds a configuration, a list of tensors (none: metadata only) and the plan that
# must come out (back.txt: what it becomes read backwards; of mmproj-NAME, the projector's plan); testdata/arch holds family files that must be refused with the words in their first line.
. "$(dirname "$0")/lib.sh"
plan=$build/tests/helper/plan

for d in testdata/plans/*; do
	tensors=$d/tensors.txt
	[ -e "$tensors" ] || tensors=-
	part=()
	case $d in */mmproj-*) part=(--mmproj) ;; esac
	"$plan" "${part[@]}" "$d/config.json" "$tensors" >"$dir/plan"
	diff "$d/plan.txt" "$dir/plan" >"$dir/diff"
	ok $? "${d##*/}" || shown "$dir/diff"
	[ -e "$d/back.txt" ] || continue
	"$plan" --back "$d/config.json" "$tensors" >"$dir/plan"
	diff "$d/back.txt" "$dir/plan" >"$dir/diff"
	ok $? "${d##*/}, read backwards" || shown "$dir/diff"
done
for f in testdata/arch/*.arch; do
	"$plan" testdata/plans/llama/config.json testdata/plans/llama/tensors.txt "$f" >"$dir/plan"
	status=$?
	case $f in
	*/good-*) [ $status -eq 0 ] ;;
	*) [ $status -eq 1 ] && grep '^error ' "$dir/plan" | grep -qF -e "$(sed -n '1s/^# expect: E[0-9]* //p' "$f")" &&
		grep -q "^error $(sed -n '1s/^# expect: \(E[0-9]*\).*/\1/p' "$f") " "$dir/plan" ;;
	esac
	ok $? "${f##*/}" || { sed -n 's/^error/# error/p' "$dir/plan"; }
done

# the example of the manual page is a family that can be read
sed -n '/^arch sample$/,/^\.Ed$/p' man/heft-arch.5 | sed '$d' >"$dir/manual.arch"
"$plan" testdata/plans/llama/config.json - "$dir/manual.arch" >"$dir/plan"
ok $? "the manual's example" || shown "$dir/plan"
grep -q '^key sample.rope.dimension_count u32 16$' "$dir/plan"
ok $? "the manual's example gives its key" || shown "$dir/plan"
finish
