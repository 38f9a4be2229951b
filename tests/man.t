#!/bin/sh
# The manual: pages without warnings, the same options as --help, examples that run.
: "${HEFT:=$PWD/heft}"
root=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
pass() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$tmp/log" | head -8; fi; }
tools=$(sed -n 's/^TOOL(\(.*\))/\1/p' "$root/src/cmd/list.h")
mkdir "$tmp/bin" && ln -s "$HEFT" "$tmp/bin/heft" || exit 1
PATH=$tmp/bin:$PATH
export PATH

for page in "$root"/man/*.[15]; do
	if command -v mandoc >/dev/null; then
		mandoc -Tlint -W warning "$page" >"$tmp/log" 2>&1; pass $? "$(basename "$page") has no warnings"
	else
		n=$((n + 1)); echo "ok $n - $(basename "$page") # SKIP no mandoc"
	fi
done

# --help and the page list the same options, with the same letters and the same names of values
for tool in $tools; do
	page=$root/man/heft-$tool.1
	heft "$tool" --help | sed -n 's/^  \(-.,\|   \) \(--[a-z-]*\( [^ a-z][^ ]*\)\{0,1\}\).*/\1 \2/p' | tr -d ',' |
		sed 's/^  *//; s/  */ /g; s/ $//' | sort >"$tmp/help"
	sed -n 's/^\.It Fl //p' "$page" | sed 's/ , Fl -/ --/; s/^-/--/; s/^\([^-] \)/-\1/; s/ Ar / /' | sort >"$tmp/page"
	[ -s "$tmp/help" ] && diff "$tmp/help" "$tmp/page" >"$tmp/log"; pass $? "heft $tool --help and its page agree"
	grep -q "heft-$tool 1" "$root/man/heft.1"; pass $? "heft(1) names $tool"
	heft "$tool" --help | grep -q . && grep -q "^\.Dl \$ heft $tool" "$page"; pass $? "heft-$tool(1) has an example"
done

# examples, page by page, each in a fresh folder; pipefail where the shell has it
for page in "$root"/man/*.1; do
	rm -rf "$tmp/run" && mkdir "$tmp/run" && cp -r "$root/testdata/kjv-llama" "$tmp/run/kjv-llama" && cd "$tmp/run" || exit 1
	sed -n 's/^\.Dl \$ //p' "$page" >"$tmp/examples"
	while IFS= read -r line; do
		bash -o pipefail -c "$line" >"$tmp/log" 2>&1 </dev/null; pass $? "$(basename "$page"): $line"
	done <"$tmp/examples"
	cd "$root" || exit 1
done
echo "1..$n"
