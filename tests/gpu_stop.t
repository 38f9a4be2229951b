#!/bin/bash
# Directories for GPU runtimes: a run that is stopped, or that has no room, leaves nothing that loads; the same bytes from any number of threads and
# from every instruction set, for every target.
. "$(dirname "$0")/lib.sh"
loads() { [ -e "$1/config.json" ] || ls "$1"/*.safetensors "$1"/*.json >/dev/null 2>&1; }

# stopped SIGNAL ARGS: a run that is stopped once it has begun to write
stopped() {
	local sig=$1 pid rc i=0
	shift
	rm -rf "$dir/out"
	mkdir "$dir/out"
	# a shell starts background commands with signals ignored that heft leaves so
	perl -e '$SIG{$_} = "DEFAULT" for qw(INT HUP TERM); exec @ARGV' "$heft" convert "$dir/big" "$@" -o "$dir/out/model" >/dev/null 2>"$dir/stderr" &
	pid=$!
	while [ -z "$(find "$dir/out" -type f)" ] && [ $i -lt 200 ] && kill -0 $pid 2>/dev/null; do
		sleep 0.05
		i=$((i + 1))
	done
	sleep 0.2
	kill -"$sig" $pid 2>/dev/null
	wait $pid 2>/dev/null
	rc=$?
	[ $rc != 0 ] && ! loads "$dir/out/model"
	ok $? "$sig, $*: nothing that loads" || { echo "# status $rc"; find "$dir/out" | sed 's/^/# /'; }
	[ "$sig" = KILL ] && return
	[ $rc = 1 ] && [ -z "$(find "$dir/out" -type f)" ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
	ok $? "$sig, $*: no file, status 1, one line" || { echo "# status $rc"; find "$dir/out" | sed 's/^/# /'; shown "$dir/stderr"; }
}

# no_room ARGS: on a file system of 1 MB
no_room() {
	if ! unshare -rm true 2>/dev/null; then
		skip "full disk, $*" "no right to mount a small file system"
		return
	fi
	rm -rf "$dir/out"
	mkdir "$dir/out"
	# shellcheck disable=SC2016
	unshare -rm sh -c 'at=$1 heft=$2 src=$3 said=$4; shift 4; mount -t tmpfs -o size=1m none "$at" && "$heft" convert "$src" "$@" -o "$at/model" >/dev/null 2>"$said"
		echo $? "$(find "$at" -type f)"' - "$dir/out" "$heft" "$kjv" "$dir/stderr" "$@" >"$dir/stdout" 2>&1
	[ "$(cat "$dir/stdout")" = "1 " ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
	ok $? "full disk, $*: no file, status 1, one line" || { shown "$dir/stdout"; shown "$dir/stderr"; }
}

model "$dir/big" llama-70b vocab=2048 layers=6 sparse=1 shards=2
for sig in TERM KILL; do
	stopped "$sig" --to w4a16 --method rtn
	stopped "$sig" --to nvfp4a16 --split-size 200M
	stopped "$sig" --to mlx --method mlx
done
no_room --to fp8-dynamic
no_room --to w8a16 --split-size 300K
rm -rf "$dir/big" "$dir/out"

# every directory is that of one thread
same() { # LABEL ARGS
	local label=$1
	shift
	rm -rf "$dir/now"
	"$heft" convert "$src" "$@" -q -o "$dir/now" 2>"$dir/log" && diff -r "$dir/one" "$dir/now" >"$dir/log"
	ok $? "$label" || shown "$dir/log"
}
"$mkmodel" llama "$dir/llama" layers=1 vocab=256 shards=2 >/dev/null
"$build/tests/helper/mkexperts" "$dir/oss" alternate
all="fp8-dynamic fp8-block fp8 w4a16 w4a16-asym w8a16 w8a8 mxfp4a16 mxfp8a16 nvfp4a16 modelopt-nvfp4 modelopt-fp8-channel modelopt-fp8-block gptq
	gptq-8bit awq bnb-nf4 bnb-fp4 bnb-int8 bnb-nf4-double bnb-fp4-double mlx mxfp4"
[ -z "${HEFT_SANITIZE:-}" ] || all="fp8 w4a16-asym nvfp4a16 awq bnb-nf4-double mxfp4" # a kind of each: that build is slow
for t in $all; do
	src=$dir/llama
	[ "$t" != mxfp4 ] || src=$dir/oss/fused
	rm -rf "$dir/one"
	"$heft" convert "$src" --to "$t" -q -j 1 -o "$dir/one" 2>"$dir/log"; ok $? "$t is written" || shown "$dir/log"
	same "$t: 2 threads" --to "$t" -j 2
	same "$t: 7 threads" --to "$t" -j 7
	for cpu in scalar avx2; do HEFT_CPU=$cpu same "$t: HEFT_CPU=$cpu" --to "$t"; done
done
finish
