#!/bin/bash
# Models in archives and under compression: the same bytes as from the folder, from files and from standard input, and what is refused.
. "$(dirname "$0")/lib.sh"
set -o pipefail
for tool in gzip xz zstd zip; do command -v $tool >/dev/null || eval "no_$tool=1"; done
have() { # TOOL...
	local t v
	for t; do v=no_$t; [ -z "${!v:-}" ] || return 1; done
}

cp -r "$kjv" "$dir/kjv-llama"
"$heft" convert "$dir/kjv-llama" -t q4_k_m -f -o "$dir/want.gguf" >/dev/null 2>&1

# same LABEL ARCHIVE [ARGS]: converts to what the folder gives; the archive is left as it is, nothing lies beside it
same() {
	local label=$1 from=$2
	shift 2
	"$heft" convert "$from" "$@" -t q4_k_m -f -o "$dir/got.gguf" >/dev/null 2>"$dir/stderr" && cmp "$dir/want.gguf" "$dir/got.gguf"
	ok $? "$label" || shown "$dir/stderr"
	rm -f "$dir/got.gguf"
}
# refused LABEL CODE PATTERN ARGS...: one line, that code, no output
refused() {
	local label=$1 code=$2 pattern=$3
	shift 3
	"$heft" convert "$@" -t q4_k_m -f -o "$dir/got.gguf" >/dev/null 2>"$dir/stderr"
	[ $? = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -q "\[$code\]" "$dir/stderr" && grep -qi -- "$pattern" "$dir/stderr" && [ ! -e "$dir/got.gguf" ]
	ok $? "$label" || shown "$dir/stderr"
}

peak_tool=$(cd "$build" && pwd)/tests/helper/peak
cd "$dir" || exit 1
tar cf plain.tar kjv-llama
mkdir named && (cd kjv-llama && tar cf ../named/kjv-llama.tar .)
same "tar" plain.tar
same "tar without a folder: its own name stands for it" named/kjv-llama.tar
same "tar on standard input" - <plain.tar
for c in gzip:gz xz:xz zstd:zst; do
	have ${c%:*} || { skip "tar.${c#*:}" "no ${c%:*} here"; continue; }
	${c%:*} -c plain.tar >plain.tar.${c#*:}
	same "tar.${c#*:}" plain.tar.${c#*:}
	same "tar.${c#*:} through a pipe" - < <(cat plain.tar.${c#*:})
done
if have zip; then
	zip -qr deflated.zip kjv-llama && zip -q0r stored.zip kjv-llama
	same "zip, deflated" deflated.zip
	same "zip, stored" stored.zip
	same "zip on standard input" - <deflated.zip
fi

# one file under compression, beside its folder's other files
for c in gzip:gz xz:xz zstd:zst; do
	have ${c%:*} || continue
	rm -rf lone && mkdir lone && cp -r kjv-llama lone/ && ${c%:*} -q lone/kjv-llama/model.safetensors 2>/dev/null && rm -f lone/kjv-llama/model.safetensors
	same "model.safetensors.${c#*:}" lone/kjv-llama/model.safetensors.${c#*:}
	same "model.safetensors.${c#*:} through a pipe" - --config lone/kjv-llama < <(cat lone/kjv-llama/model.safetensors.${c#*:})
done
"$heft" convert kjv-llama -t bf16 -f -o bf16.gguf >/dev/null 2>&1
if have gzip; then
	gzip -c bf16.gguf >bf16.gguf.gz
	same "gguf.gz" bf16.gguf.gz
	same "gguf.gz on standard input" - <bf16.gguf.gz
	head -c 3000000 bf16.gguf.gz >cut.gguf.gz
	refused "gguf.gz that is cut" E225 "download it again" cut.gguf.gz
	gzip -c bf16.gguf.gz >twice.gguf.gz.gz
	refused "compressed twice" E225 twice twice.gguf.gz.gz
fi

# a .zst with a seek table is read in any order
u32() {
	# shellcheck disable=SC2059
	printf "\\$(printf %03o $(($1 & 255)))\\$(printf %03o $(($1 >> 8 & 255)))\\$(printf %03o $(($1 >> 16 & 255)))\\$(printf %03o $(($1 >> 24 & 255)))"
}
seekable() { # FILE
	local f n=0
	rm -rf frames && mkdir frames && (cd frames && split -b 1000000 "../$1" f.) && : >rows && : >"$1.zst"
	for f in frames/f.*; do
		zstd -q "$f"
		cat "$f.zst" >>"$1.zst"
		u32 $(($(wc -c <"$f.zst"))) >>rows
		u32 $(($(wc -c <"$f"))) >>rows
		n=$((n + 1))
	done
	{ u32 $((0x184D2A5E)); u32 $((8 * n + 9)); cat rows; u32 $n; printf '\0'; u32 $((0x8F92EAB1)); } >>"$1.zst"
}
if have zstd; then
	cp plain.tar seekable.tar && seekable seekable.tar
	same "tar.zst with a seek table, whatever the order" seekable.tar.zst --spool 1K
	zstd -q -t seekable.tar.zst
	ok $? "it is a file of zstd's"
	printf x | dd of=seekable.tar.zst bs=1 seek=3000000 conv=notrunc 2>/dev/null
	"$heft" convert seekable.tar.zst -t q4_k_m -f -o got.gguf >/dev/null 2>stderr
	[ $? = 1 ] && [ "$(wc -l <stderr)" -eq 1 ] && [ ! -e got.gguf ]
	ok $? "a frame that is damaged" || shown stderr
fi

# several parts, and their index behind them
mkdir parts && "$heft" convert bf16.gguf -t keep --split-size 2M -o parts/m.gguf >/dev/null 2>&1
tar cf parts.tar parts
"$heft" convert parts.tar -t q4_k_m -f -o got.gguf >/dev/null 2>stderr
"$heft" convert parts/m-00001-of-*.gguf -t q4_k_m -f -o want-parts.gguf >/dev/null 2>&1
cmp got.gguf want-parts.gguf
ok $? "the parts of one GGUF in a tar" || shown stderr
if have gzip; then
	gzip -c parts.tar >parts.tar.gz
	"$heft" convert parts.tar.gz -t q4_k_m -f -o got.gguf >/dev/null 2>stderr && cmp got.gguf want-parts.gguf
	ok $? "the parts of one GGUF in a tar.gz" || shown stderr
	"$heft" convert - -t q4_k_m -f -o got.gguf <parts.tar.gz >/dev/null 2>stderr && cmp got.gguf want-parts.gguf
	ok $? "the parts of one GGUF on standard input, inside the spool" || shown stderr
	rm -f got.gguf
	refused "the parts of one GGUF on standard input, a smaller spool" E505 spool - --spool 1M <parts.tar.gz
fi
rm -f got.gguf

# the order of members
(cd kjv-llama && tar cf ../behind.tar model.safetensors $(ls | grep -v model.safetensors))
mkdir behind && mv behind.tar behind/kjv-llama.tar
same "config.json behind the weights, in a file" behind/kjv-llama.tar
"$heft" convert - -t q8_0 -f -o got.gguf <behind/kjv-llama.tar >/dev/null 2>stderr
ok $? "config.json behind the weights, on standard input inside the spool" || shown stderr
rm -f got.gguf
refused "config.json behind the weights, on standard input beyond the spool" E302 "before the weights" - --spool 1M <behind/kjv-llama.tar

# what an archive must not hold
mkdir bad && cd bad || exit 1
cp -r ../kjv-llama . && head -c 4000000 ../plain.tar >cut.tar
refused "a tar that is cut" E225 "download" cut.tar
ln -s /etc/passwd kjv-llama/LINK.md && tar cf link.tar kjv-llama && rm kjv-llama/LINK.md
refused "a symbolic link to an absolute path" E225 link link.tar
ln -s ../../x kjv-llama/LINK.md && tar cf link.tar kjv-llama && rm kjv-llama/LINK.md
refused "a symbolic link out of the tree" E225 link link.tar
ln -s config.json kjv-llama/same.json && tar cf inside.tar kjv-llama && rm kjv-llama/same.json
same "a symbolic link inside the tree" inside.tar
mkfifo kjv-llama/pipe && tar cf pipe.tar kjv-llama && rm kjv-llama/pipe
refused "a pipe" E225 device pipe.tar
tar cf twice.tar kjv-llama kjv-llama/config.json
tar rf twice.tar kjv-llama/config.json
refused "a member twice" E225 twice twice.tar
tar cPf up.tar kjv-llama ../bad/kjv-llama/config.json
refused "a member above the folder" E225 "plain name" up.tar
tar cPf root.tar kjv-llama /etc/hostname
refused "an absolute name" E225 "plain name" root.tar
cp kjv-llama/config.json "kjv-llama/$(printf 'a\033[2Jb').json" && tar cf control.tar kjv-llama && rm kjv-llama/a*b.json
refused "a control byte in a name" E225 "plain name" control.tar
tar cf nested.tar -C .. plain.tar
refused "an archive in an archive" E225 "one archive deep" nested.tar
mkdir x y && cp -r kjv-llama x/a && cp -r kjv-llama x/b && tar cf two.tar -C x a b
refused "two models" E101 several two.tar
if have zstd; then
	# 2 GB of zeros: read to its end it takes long, at the limit it does not
	{ printf '\100\0\0\0\0\0\0\0{"a":{"dtype":"F32","shape":[500000000],"data_offsets":[0,2000000000]}}'; } >head
	n=$(($(wc -c <head) - 8))
	{ printf "\\$(printf %03o $n)\0\0\0\0\0\0\0"; tail -c +9 head; head -c 2000000000 /dev/zero; } | zstd -q -1 -T2 -o bomb.safetensors.zst
	[ "$(wc -c <bomb.safetensors.zst)" -lt 1000000 ]
	ok $? "a bomb is small"
	begun=$SECONDS
	refused "a bomb" E226 "no model's weights" bomb.safetensors.zst --arch none
	[ $((SECONDS - begun)) -lt 10 ]
	ok $? "a bomb takes little time"
fi
cd ..

# memory stays flat, though more than the spool passes
{ printf '\137\0\0\0\0\0\0\0{"a":{"dtype":"F32","shape":[50,1000000],"data_offsets":[0,200000000]}}'; } >head
n=$(($(wc -c <head) - 8))
{ printf "\\$(printf %03o $n)\0\0\0\0\0\0\0"; tail -c +9 head; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do cat plain.tar; done | head -c 200000000; head -c 200000000 /dev/zero; } |
	head -c $((200000000 + 8 + n)) >big.safetensors
if have gzip && [ -x "$peak_tool" ] && [ -z "${HEFT_SANITIZE:-}" ]; then # a sanitizer's shadow memory is not heft's
	gzip -1 big.safetensors
	"$peak_tool" peak "$heft" convert big.safetensors.gz --arch none --to safetensors -t f16 -f -o got.safetensors >/dev/null 2>stderr
	read -r peak wall cpu rc <peak
	[ "$rc" = 0 ] && [ "$peak" -lt $((120 * 1024)) ]
	ok $? "200 MB behind gzip in $((peak / 1024)) MB of memory" || shown stderr
	rm -f big.safetensors.gz got.safetensors
fi

for f in plain.tar parts.tar; do
	"$heft" info $f >out 2>stderr && [ -s out ]
	ok $? "info $f" || shown stderr
	"$heft" check --deep $f >out 2>stderr
	ok $? "check --deep $f" || { shown out; shown stderr; }
done
if have gzip; then
	"$heft" check --deep plain.tar.gz >out 2>stderr
	ok $? "check --deep plain.tar.gz" || { shown out; shown stderr; }
	"$heft" diff kjv-llama plain.tar.gz --max-rmse 0 >out 2>stderr
	ok $? "diff of folder and tar.gz" || { shown out; shown stderr; }
fi
finish
