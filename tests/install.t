#!/bin/bash
# make install into DESTDIR: a program builds against it, the links work, completions parse, uninstall leaves no file.
. "$(dirname "$0")/lib.sh"
dest=$dir/root
prefix=$dest/opt/heft

make install BUILD="$build" DESTDIR="$dest" PREFIX=/opt/heft >"$dir/log" 2>&1; pass $? "make install"
for f in bin/heft include/heft.h include/heft_codes.h include/heft_coreml.h include/heft_manifest.h include/heft_meta.h lib/libheft.a lib/pkgconfig/heft.pc share/man/man1/heft.1 share/man/man1/heft-convert.1 \
	share/bash-completion/completions/heft share/zsh/site-functions/_heft share/fish/vendor_completions.d/heft.fish; do
	[ -s "$prefix/$f" ]; pass $? "$f"
done
for t in $(sed -n 's/^TOOL(\(.*\))/\1/p' src/cmd/list.h); do
	"$prefix/bin/heft-$t" --help >"$dir/log" 2>&1; pass $? "bin/heft-$t"
done

cat >"$dir/use.c" <<'END'
#include <heft.h>
#include <heft_coreml.h>
#include <heft_manifest.h>
#include <heft_meta.h>
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
flags=
grep -q __asan_init "$prefix/lib/libheft.a" && flags=-fsanitize=address,undefined
config() { PKG_CONFIG_PATH=$prefix/lib/pkgconfig ${PKG_CONFIG:-pkg-config} --define-variable=prefix="$prefix" "$@" heft; }
if command -v "${PKG_CONFIG:-pkg-config}" >/dev/null; then
	[ "$(config --modversion)" = "$("$heft" --version | sed 's/heft //')" ]; pass $? "heft.pc has the version"
	${CC:-cc} $flags "$dir/use.c" -o "$dir/use" $(config --cflags --libs) >"$dir/log" 2>&1 &&
		LD_LIBRARY_PATH=$prefix/lib DYLD_LIBRARY_PATH=$prefix/lib "$dir/use" >>"$dir/log" 2>&1
	pass $? "a program against the shared library"
	mkdir "$dir/static" && cp "$prefix/lib/libheft.a" "$dir/static/"
	${CC:-cc} $flags "$dir/use.c" -o "$dir/use-static" $(config --cflags) -L"$dir/static" \
		$(config --static --libs | sed "s|-L$prefix/lib||") >"$dir/log" 2>&1 && "$dir/use-static" >>"$dir/log" 2>&1
	pass $? "a program against the static library"
	if command -v "${CXX:-c++}" >/dev/null; then
		${CXX:-c++} -x c++ -fsyntax-only $(config --cflags) "$dir/use.c" >"$dir/log" 2>&1; pass $? "heft.h is C++ too"
	fi
else
	skip "pkg-config" "not installed"
fi
if [ "$(uname -s)" = Linux ] && command -v nm >/dev/null; then
	nm -D --defined-only "$prefix/lib/libheft.so" | awk '$2 ~ /[TDBR]/ && $3 !~ /^heft_/' >"$dir/log"
	[ ! -s "$dir/log" ]; pass $? "the shared library shows only heft_ names"
fi

parse() { # SHELL FILE
	if command -v "$1" >/dev/null; then "$1" -n "$prefix/share/$2" >"$dir/log" 2>&1; pass $? "$1 parses its completion"; else
		skip "$1 parses its completion" "no $1"; fi
}
parse bash bash-completion/completions/heft
parse zsh zsh/site-functions/_heft
parse fish fish/vendor_completions.d/heft.fish
bash_complete() { # WORDS: what bash would offer for the last one
	bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _heft; printf "%s\n" "${COMPREPLY[@]}"' \
		"$prefix/share/bash-completion/completions/heft" "$@" >"$dir/log" 2>&1
}
bash_complete heft conv; grep -qx convert "$dir/log"; pass $? "bash completes a tool"
bash_complete heft convert --spl; grep -qx -e --split-size "$dir/log"; pass $? "bash completes an option"
bash_complete heft convert x -t q8; grep -qx q8_0 "$dir/log"; pass $? "bash completes a type"
bash_complete heft-convert x --to = g; grep -qx gguf "$dir/log"; pass $? "bash completes after --to="
bash_complete heft arch ''; grep -qx list "$dir/log"; pass $? "bash completes a word"
bash_complete heft quantize in.gguf q4_; grep -qx q4_k_m "$dir/log"; pass $? "bash completes a type among operands"
bash_complete heft imatrix info READ; grep -qx README.md "$dir/log"; pass $? "and a file where words are allowed too"
if command -v fish >/dev/null; then
	fish --no-config -c "source $prefix/share/fish/vendor_completions.d/heft.fish; complete -C 'heft convert --spl'" >"$dir/log" 2>&1
	grep -q -e --split-size "$dir/log"; pass $? "fish completes an option"
else
	skip "fish completes an option" "no fish"
fi

make uninstall BUILD="$build" DESTDIR="$dest" PREFIX=/opt/heft >"$dir/log" 2>&1; pass $? "make uninstall"
find "$dest" ! -type d >"$dir/log"; [ ! -s "$dir/log" ]; pass $? "uninstall leaves no file"
finish
