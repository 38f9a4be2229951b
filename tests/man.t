#!/bin/bash
# The manual: pages without warnings, the same options as --help, examples that run.
. "$(dirname "$0")/lib.sh"
root=$PWD
case $heft in /*) ;; *) heft=$PWD/$heft ;; esac
tools=$(sed -n 's/^TOOL(\(.*\))/\1/p' "$root/src/cmd/list.h")
mkdir "$dir/bin" && ln -s "$heft" "$dir/bin/heft" || exit 1
PATH=$dir/bin:$PATH
export PATH

for page in "$root"/man/*.[15]; do
	if command -v mandoc >/dev/null; then
		mandoc -Tlint -W warning "$page" >"$dir/log" 2>&1; pass $? "$(basename "$page") has no warnings"
	else
		skip "$(basename "$page")" "no mandoc"
	fi
done

# --help and the page list the same options, with the same letters and the same names of values
for tool in $tools; do
	page=$root/man/heft-$tool.1
	heft "$tool" --help | sed -n 's/^  \(-.,\|   \) \(--[a-z0-9-]*\( [^ a-z][^ ]*\)\{0,1\}\).*/\1 \2/p' | tr -d ',' |
		sed 's/^  *//; s/  */ /g; s/ $//' | sort >"$dir/help"
	sed -n 's/^\.It Fl //p' "$page" | sed 's/ , Fl -/ --/; s/^-/--/; s/^\([^-] \)/-\1/; s/ Ar / /' | sort >"$dir/page"
	[ -s "$dir/help" ] && diff "$dir/help" "$dir/page" >"$dir/log"; pass $? "heft $tool --help and its page agree"
	grep -q "heft-$tool 1" "$root/man/heft.1"; pass $? "heft(1) names $tool"
	heft "$tool" --help | grep -q . && grep -q "^\.Dl \$ heft $tool" "$page"; pass $? "heft-$tool(1) has an example"
done

# examples, page by page, each in a fresh folder; pipefail where the shell has it
for page in "$root"/man/*.1; do
	rm -rf "$dir/run" && mkdir "$dir/run" && cp -r "$root/testdata/kjv-llama" "$dir/run/kjv-llama" && cp -r "$root/testdata/coreml/good-ios18.mlpackage" "$dir/run/Net.mlpackage" &&
		"$root/$mklora" "$dir/run/kjv-lora" model.layers.0.self_attn.q_proj:256x256 && cd "$dir/run" || exit 1
	sed -n 's/^\.Dl \$ //p' "$page" >"$dir/examples"
	while IFS= read -r line; do
		bash -o pipefail -c "$line" >"$dir/log" 2>&1 </dev/null; pass $? "$(basename "$page"): $line"
	done <"$dir/examples"
	cd "$root" || exit 1
done
finish
