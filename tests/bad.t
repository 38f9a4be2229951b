#!/bin/bash
# Bad input at the command's level: each ends with one line on standard error, exit status 1, and no file under the output's name.
. "$(dirname "$0")/lib.sh"
mkdir "$dir/out"

# refused LABEL PATTERN ARGS...: heft convert ARGS -o out/x must fail; PATTERN (extended) must be in its one line
refused() {
	local label=$1 pattern=$2 rc
	shift 2
	rm -rf "$dir/out"
	mkdir "$dir/out"
	"$heft" convert "$@" -o "$dir/out/x" >"$dir/stdout" 2>"$dir/stderr" </dev/null
	rc=$?
	[ $rc = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -Eqi -- "$pattern" "$dir/stderr" && [ -z "$(ls -A "$dir/out")" ] && [ ! -s "$dir/stdout" ]
	ok $? "$label" && return
	echo "# exit status $rc, files: $(ls -A "$dir/out" | tr '\n' ' '), wanted one line with '$pattern':"
	shown "$dir/stderr"
}
lone() { # LABEL PATTERN: the lone file $dir/x.safetensors, carried as it is
	refused "$1" "$2" "$dir/x.safetensors" --arch none --to safetensors -t keep
}
usage() { # LABEL PATTERN ARGS...: a mistake in the options: status 2, nothing written
	local label=$1 pattern=$2 rc
	shift 2
	rm -rf "$dir/out"
	mkdir "$dir/out"
	"$heft" convert "$@" >/dev/null 2>"$dir/stderr"
	rc=$?
	[ $rc = 2 ] && grep -Eqi -- "$pattern" "$dir/stderr" && [ -z "$(ls -A "$dir/out")" ]
	ok $? "$label" || { echo "# exit status $rc"; shown "$dir/stderr"; }
}
A='"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'

headers() {
	local x=$dir/x.safetensors
	safetensors "$x" "{$A}" 8
	"$heft" convert "$x" --arch none --to safetensors -t keep -o "$dir/good" >/dev/null 2>"$dir/stderr"
	ok $? "a good small file is taken" || shown "$dir/stderr"
	safetensors "$x" "{$A}" 7; lone "truncated data" 'x.safetensors'
	: >"$x"; lone "empty file" 'x.safetensors'
	printf '\010\0\0' >"$x"; lone "three bytes" 'x.safetensors'
	safetensors "$x" "{$A}" 8 1000000; lone "header longer than the file" 'x.safetensors'
	safetensors "$x" "{$A}" 8 9223372036854775807; lone "absurd header length" 'x.safetensors'
	safetensors "$x" '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}' 8; lone "header is not JSON" 'x.safetensors'
	safetensors "$x" '[1,2]' 8; lone "header is no object" 'x.safetensors'
	safetensors "$x" '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}' 8; lone "shape and bytes disagree" 'a'
	safetensors "$x" '{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}' 8; lone "extent runs backwards" 'a'
	safetensors "$x" '{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}' 8; lone "negative offset" 'a'
	safetensors "$x" '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,1e99]}}' 8; lone "offset beyond 64 bits" 'a'
	safetensors "$x" '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}' 0; lone "shape product overflows to zero" 'a'
	safetensors "$x" '{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}' 16; lone "shape times size overflows" 'a'
	safetensors "$x" "{$A,\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}" 12; lone "overlapping tensors" '(overlap|share|hole|begin)'
	safetensors "$x" "{$A,\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[12,20]}}" 20; lone "hole between tensors" 'b'
	safetensors "$x" "{$A,$A}" 8; lone "duplicate name" '(twice|duplicate|two)'
	safetensors "$x" '{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}' 8; lone "unknown dtype" 'F33'
	safetensors "$x" '{"a":{"shape":[2],"data_offsets":[0,8]}}' 8; lone "no dtype" 'a'
	safetensors "$x" '{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}' 8; lone "negative dimension" 'a'
	safetensors "$x" '{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}}' 8; lone "too many dimensions" 'a'
	safetensors "$x" "$(printf '{"\377\376":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}')" 8; lone "name is not UTF-8" '.'
	printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 1000\n' >"$x"
	lone "Git LFS pointer" 'lfs'
	printf '<!DOCTYPE html><html><body>404</body></html>' >"$x"; lone "HTML instead of a model" '.'
	safetensors "$x" "{\"a\":$(printf '%2000s' | tr ' ' '[')}" 8; lone "deep nesting" 'x.safetensors'
}

gguf() {
	printf 'GGUF\003\0\0\0' >"$dir/x.gguf"; refused "GGUF of eight bytes" 'x.gguf' "$dir/x.gguf"
	printf 'GGUF\003\0\0\0\377\377\377\377\377\377\377\177\0\0\0\0\0\0\0\0' >"$dir/x.gguf"; refused "GGUF with 2^63 tensors" 'x.gguf' "$dir/x.gguf"
	printf 'GGUF\003\0\0\0\0\0\0\0\0\0\0\0\377\377\377\377\377\377\377\177' >"$dir/x.gguf"; refused "GGUF with 2^63 keys" 'x.gguf' "$dir/x.gguf"
	printf 'GGUF\003\0\0\0\0\0\0\0\0\0\0\0\001\0\0\0\0\0\0\0\377\377\377\377\377\377\377\377' >"$dir/x.gguf"
	refused "GGUF with a key of 2^64 bytes" 'x.gguf' "$dir/x.gguf"
	printf 'GGUF\011\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >"$dir/x.gguf"; refused "GGUF version 9" '(version|9)' "$dir/x.gguf"
	"$heft" convert "$kjv" -t q8_0 -o "$dir/good.gguf" >/dev/null 2>&1
	head -c 200000 "$dir/good.gguf" >"$dir/x.gguf"; refused "GGUF cut in the data" 'x.gguf' "$dir/x.gguf" -t f16 --allow-requantize
	head -c 3000 "$dir/good.gguf" >"$dir/x.gguf"; refused "GGUF cut in the header" 'x.gguf' "$dir/x.gguf" -t f16 --allow-requantize
	refused "requantizing without being told to" 'allow-requantize' "$dir/good.gguf" -t q4_0
}

fresh() { # a sharded checkpoint to spoil
	rm -rf "$dir/m"
	model "$dir/m" llama-narrow shards=3
}
without() { # KEY: config.json loses a line
	fresh
	grep -v "\"$1\"" "$dir/m/config.json" >"$dir/c" && mv "$dir/c" "$dir/m/config.json"
}

checkpoints() {
	local index=$dir/m/model.safetensors.index.json
	fresh; rm "$dir/m/model-00002-of-00003.safetensors"; refused "missing shard" 'model-00002-of-00003' "$dir/m"
	fresh; cp "$dir/m/model-00002-of-00003.safetensors" "$dir/m/model-00002-of-00004.safetensors"
	refused "extra shard" 'model-00002-of-00004' "$dir/m"
	fresh; cp "$kjv/model.safetensors" "$dir/m/"; rm "$index"
	refused "parts beside a whole model" 'model-00001-of-00003' "$dir/m"
	fresh; sed 's|model-00002-of-00003|../m/model-00002-of-00003|' "$index" >"$dir/i" && mv "$dir/i" "$index"
	refused "index names ../x" '\.\./m' "$dir/m"
	fresh; sed 's|model-00002-of-00003|/etc/model|' "$index" >"$dir/i" && mv "$dir/i" "$index"
	refused "index names an absolute path" '/etc/model' "$dir/m"
	fresh; echo '{"weight_map": []}' >"$index"; refused "index without a map" 'index' "$dir/m"
	fresh; head -c 300 "$index" >"$dir/i" && mv "$dir/i" "$index"; refused "truncated index" 'index' "$dir/m"
	fresh; f=$dir/m/model-00003-of-00003.safetensors; head -c $(($(wc -c <"$f") - 10)) "$f" >"$dir/i" && mv "$dir/i" "$f"
	refused "truncated shard" 'model-00003-of-00003' "$dir/m"
	fresh; sed 's/model.layers.1.mlp.up_proj/model.layers.1.mlp.extra/' "$index" >"$dir/i" && mv "$dir/i" "$index"
	refused "index and shards disagree" 'layers.1.mlp' "$dir/m"
	fresh; rm "$dir/m/config.json"; refused "no config.json" 'config' "$dir/m"
	fresh; echo '{' >"$dir/m/config.json"; refused "config.json is not JSON" 'config' "$dir/m"
	without architectures; sed 's/"model_type": "llama",//' "$dir/m/config.json" >"$dir/c" && mv "$dir/c" "$dir/m/config.json"
	refused "config without a family" '.' "$dir/m"
	fresh; sed 's/LlamaForCausalLM/NoSuchForCausalLM/' "$dir/m/config.json" >"$dir/c" && mv "$dir/c" "$dir/m/config.json"
	refused "unknown family" 'NoSuchForCausalLM' "$dir/m"
	fresh; sed 's/"hidden_size": 64/"hidden_size": "many"/' "$dir/m/config.json" >"$dir/c" && mv "$dir/c" "$dir/m/config.json"
	refused "config key of the wrong kind" 'm/config.json: .*hidden_size.*many' "$dir/m"
	fresh; sed 's/"num_hidden_layers": 3/"num_hidden_layers": 4/' "$dir/m/config.json" >"$dir/c" && mv "$dir/c" "$dir/m/config.json"
	refused "a layer that is not there" '.' "$dir/m"
	fresh; rm "$dir"/m/tokenizer*; refused "no tokenizer" 'tokenizer' "$dir/m"
	fresh; head -c 1000 "$kjv/tokenizer.model" >"$dir/m/tokenizer.model"; refused "truncated tokenizer" 'tokenizer' "$dir/m"
	rm -rf "$dir/m"; model "$dir/m" mixtral-narrow; f=$dir/m/model.safetensors
	LC_ALL=C sed 's/layers.1.block_sparse_moe.experts.2.w1/layers.1.block_sparse_moe.experts.9.w1/' "$f" >"$dir/i" && mv "$dir/i" "$f"
	refused "hole in the experts" 'exp(ert)?s' "$dir/m"
	rm -rf "$dir/m"; mkdir "$dir/m"; refused "empty folder" '.' "$dir/m"
	refused "no such path" 'nowhere' "$dir/nowhere"
	usage "no such type" 'q9_z' "$kjv" -t q9_z -o "$dir/out/x"
	refused "pattern that matches nothing" 'nothing' "$kjv" -t q4_k_m --tensor-type nothing_like_it=q8_0
	rm -rf "$dir/m"; model "$dir/m" llama-narrow; refused "--strict makes a fallback an error" 'q[46]_k needs .* other tensors' "$dir/m" -t q4_k_m --strict
}

same_file() { # LABEL OUT: an output that is the input
	cp "$dir/good.gguf" "$dir/in.gguf"
	rm -f "$dir/soft" "$dir/hard"
	ln -s in.gguf "$dir/soft"
	ln "$dir/in.gguf" "$dir/hard"
	"$heft" convert "$dir/in.gguf" -f -t f16 --allow-requantize -o "$dir/$2" >/dev/null 2>"$dir/stderr"
	[ $? = 1 ] && cmp -s "$dir/in.gguf" "$dir/good.gguf" && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
	ok $? "$1" || shown "$dir/stderr"
}

outputs() {
	same_file "output is the input" in.gguf
	same_file "output is a symbolic link to the input" soft
	same_file "output is a hard link of the input" hard
	echo keep >"$dir/there"
	"$heft" convert "$kjv" -t q8_0 -o "$dir/there" >/dev/null 2>"$dir/stderr"
	[ $? = 1 ] && [ "$(cat "$dir/there")" = keep ]
	ok $? "output exists and -f was not said" || shown "$dir/stderr"
	"$heft" convert "$kjv" -t q8_0 -o "$dir/nowhere/x.gguf" >/dev/null 2>"$dir/stderr"
	[ $? = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -q nowhere "$dir/stderr"
	ok $? "output folder does not exist" || shown "$dir/stderr"
	usage "two outputs of one name" 'two outputs' "$kjv" -t q8_0 -o "$dir/out/y" -t q4_0 -o "$dir/out/y"
	mkfifo "$dir/fifo"
	"$heft" convert "$kjv" -t q8_0 -f -o "$dir/fifo" >/dev/null 2>"$dir/stderr"
	[ $? = 1 ] && [ -p "$dir/fifo" ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
	ok $? "a pipe or a device is not replaced, -f or not" || shown "$dir/stderr"
	if [ -e /dev/full ]; then
		"$heft" convert "$kjv" -t q8_0 -o - >/dev/full 2>"$dir/stderr"
		[ $? = 1 ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
		ok $? "standard output is full" || shown "$dir/stderr"
	else
		skip "standard output is full" "no /dev/full"
	fi
	mkdir -p "$dir/limit"
	(trap '' XFSZ; ulimit -f 1000; exec "$heft" convert "$kjv" -t q8_0 -o "$dir/limit/x.gguf") >/dev/null 2>"$dir/stderr"
	[ $? = 1 ] && [ -z "$(ls -A "$dir/limit")" ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
	ok $? "a write fails in the middle" || { ls -A "$dir/limit" | sed 's/^/# /'; shown "$dir/stderr"; }
	if unshare -rm true 2>/dev/null; then
		unshare -rm sh -c 'mount -t tmpfs -o size=1m none "$1" && "$2" convert "$3" -t q8_0 -o "$1/x.gguf" >/dev/null 2>"$4"; echo $? "$(ls -A "$1")"' - \
			"$dir/limit" "$heft" "$kjv" "$dir/stderr" >"$dir/stdout" 2>&1
		[ "$(cat "$dir/stdout")" = "1 " ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
		ok $? "full disk" || { shown "$dir/stdout"; shown "$dir/stderr"; }
	else
		skip "full disk" "no right to mount a small file system"
	fi
}

# killed SIGNAL WHAT-IS-LEFT: a run that is stopped half way; 'nothing' or 'temporary' may lie beside the destination
killed() {
	local pid rc i=0
	rm -rf "$dir/out"
	mkdir "$dir/out"
	# a shell starts background commands with SIGINT ignored, and heft leaves what is ignored so
	perl -e '$SIG{$_} = "DEFAULT" for qw(INT HUP TERM); exec @ARGV' "$heft" convert "$dir/big" -t q4_k_m -o "$dir/out/x.gguf" >/dev/null 2>"$dir/stderr" &
	pid=$!
	while [ -z "$(ls -A "$dir/out")" ] && [ $i -lt 100 ] && kill -0 $pid 2>/dev/null; do
		sleep 0.05
		i=$((i + 1))
	done
	sleep 0.2
	kill -"$1" $pid 2>/dev/null
	wait $pid 2>/dev/null
	rc=$?
	[ ! -e "$dir/out/x.gguf" ]
	ok $? "$1: nothing under the output's name"
	if [ "$2" = nothing ]; then
		[ $rc = 1 ] && [ -z "$(ls -A "$dir/out")" ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ]
		ok $? "$1: exit status 1, one line, no temporary file" || { echo "# status $rc, $(ls -A "$dir/out")"; shown "$dir/stderr"; }
	fi
}

headers
gguf
checkpoints
outputs
model "$dir/big" llama-70b vocab=2048 layers=8 sparse=1 shards=2
killed TERM nothing
killed INT nothing
killed HUP nothing
killed KILL temporary
finish
