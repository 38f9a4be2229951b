#!/bin/sh
# make install into DESTDIR: a program builds against it, the links work, completions parse, uninstall leaves no file.
: "${HEFT:=$PWD/heft}" "${BUILD:=build}"
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
pass() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$tmp/log" | tail -8; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
dest=$tmp/root
prefix=$dest/opt/heft

make install BUILD="$BUILD" DESTDIR="$dest" PREFIX=/opt/heft >"$tmp/log" 2>&1; pass $? "make install"
for f in bin/heft include/heft.h lib/libheft.a lib/pkgconfig/heft.pc share/man/man1/heft.1 share/man/man1/heft-convert.1 \
	share/bash-completion/completions/heft share/zsh/site-functions/_heft share/fish/vendor_completions.d/heft.fish; do
	[ -s "$prefix/$f" ]; pass $? "$f"
done
for t in $(sed -n 's/^TOOL(\(.*\))/\1/p' src/cmd/list.h); do
	"$prefix/bin/heft-$t" --help >"$tmp/log" 2>&1; pass $? "bin/heft-$t"
done

cat >"$tmp/use.c" <<'END'
#include <heft.h>
#include <stdio.h>
int main(void)
{
	struct heft_model *m;
	struct heft_err err;
	if (!heft_open(&m, "no such file", 0, &err))
		return 1;
	printf("%s %s\n", heft_encoding_name(heft_encoding_at(0)), err.text);
	return err.code != HEFT_E_OPEN;
}
END
config() { PKG_CONFIG_PATH=$prefix/lib/pkgconfig ${PKG_CONFIG:-pkg-config} --define-variable=prefix="$prefix" "$@" heft; }
if command -v "${PKG_CONFIG:-pkg-config}" >/dev/null; then
	[ "$(config --modversion)" = "$("$HEFT" --version | sed 's/heft //')" ]; pass $? "heft.pc has the version"
	${CC:-cc} ${CFLAGS_TEST:-} "$tmp/use.c" -o "$tmp/use" $(config --cflags --libs) >"$tmp/log" 2>&1 &&
		LD_LIBRARY_PATH=$prefix/lib DYLD_LIBRARY_PATH=$prefix/lib "$tmp/use" >>"$tmp/log" 2>&1
	pass $? "a program against the shared library"
	mkdir "$tmp/static" && cp "$prefix/lib/libheft.a" "$tmp/static/"
	${CC:-cc} ${CFLAGS_TEST:-} "$tmp/use.c" -o "$tmp/use-static" $(config --cflags) -L"$tmp/static" \
		$(config --static --libs | sed "s|-L$prefix/lib||") >"$tmp/log" 2>&1 && "$tmp/use-static" >>"$tmp/log" 2>&1
	pass $? "a program against the static library"
	if command -v "${CXX:-c++}" >/dev/null; then
		${CXX:-c++} -x c++ -fsyntax-only $(config --cflags) "$tmp/use.c" >"$tmp/log" 2>&1; pass $? "heft.h is C++ too"
	fi
else
	skip "pkg-config" "not installed"
fi
if [ "$(uname -s)" = Linux ] && command -v nm >/dev/null; then
	nm -D --defined-only "$prefix/lib/libheft.so" | awk '$2 ~ /[TDBR]/ && $3 !~ /^heft_/' >"$tmp/log"
	[ ! -s "$tmp/log" ]; pass $? "the shared library shows only heft_ names"
fi

parse() { # SHELL FILE
	if command -v "$1" >/dev/null; then "$1" -n "$prefix/share/$2" >"$tmp/log" 2>&1; pass $? "$1 parses its completion"; else
		skip "$1 parses its completion" "no $1"; fi
}
parse bash bash-completion/completions/heft
parse zsh zsh/site-functions/_heft
parse fish fish/vendor_completions.d/heft.fish
bash_complete() { # WORDS: what bash would offer for the last one
	bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _heft; printf "%s\n" "${COMPREPLY[@]}"' \
		"$prefix/share/bash-completion/completions/heft" "$@" >"$tmp/log" 2>&1
}
bash_complete heft conv; grep -qx convert "$tmp/log"; pass $? "bash completes a tool"
bash_complete heft convert --spl; grep -qx -e --split-size "$tmp/log"; pass $? "bash completes an option"
bash_complete heft convert x -t q8; grep -qx q8_0 "$tmp/log"; pass $? "bash completes a type"
bash_complete heft-convert x --to = g; grep -qx gguf "$tmp/log"; pass $? "bash completes after --to="
bash_complete heft arch ''; grep -qx list "$tmp/log"; pass $? "bash completes a word"
if command -v fish >/dev/null; then
	fish --no-config -c "source $prefix/share/fish/vendor_completions.d/heft.fish; complete -C 'heft convert --spl'" >"$tmp/log" 2>&1
	grep -q -e --split-size "$tmp/log"; pass $? "fish completes an option"
else
	skip "fish completes an option" "no fish"
fi

make uninstall BUILD="$BUILD" DESTDIR="$dest" PREFIX=/opt/heft >"$tmp/log" 2>&1; pass $? "make uninstall"
find "$dest" ! -type d >"$tmp/log"; [ ! -s "$tmp/log" ]; pass $? "uninstall leaves no file"
echo "1..$n"
