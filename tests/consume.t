#!/bin/bash
# --consume removes weights only when every output is on disk; where anything fails, all of the source is still there.
. "$(dirname "$0")/lib.sh"

fresh() {
	rm -rf "$dir/m" "$dir"/out*
	model "$dir/m" mixtral-narrow shards=2
	ls "$dir/m" | sort >"$dir/before"
}
untouched() { ls "$dir/m" | sort | cmp -s - "$dir/before"; }
run() { "$heft" convert "$dir/m" "$@" >"$dir/stdout" 2>"$dir/stderr"; }

fresh
run -t q8_0 -o "$dir/out.gguf" && untouched
ok $? "without it nothing is removed"
run -t q8_0 -o "$dir/out2.gguf" --consume -n && untouched
ok $? "nor by a dry run"
run -t q8_0 -o "$dir/out3.gguf" --consume && [ -z "$(ls "$dir"/m/*.safetensors 2>/dev/null)" ] && [ -e "$dir/m/config.json" ] && cmp "$dir/out.gguf" "$dir/out3.gguf"
ok $? "with it the shards go and the configuration stays" || shown "$dir/stderr"
fresh
run -t q8_0 -o - --consume; [ $? -eq 1 ] && grep -q E506 "$dir/stderr" && untouched
ok $? "not for a stream, which nobody knows to be safe"
mkdir "$dir/out"
(trap '' XFSZ; ulimit -f 20; exec "$heft" convert "$dir/m" -t q8_0 --consume -o "$dir/out/x.gguf") >/dev/null 2>"$dir/stderr"
[ $? -eq 1 ] && untouched
ok $? "a full disk leaves the source" || shown "$dir/stderr"
printf 'x' >"$dir/out.gguf"
run -t q8_0 -o "$dir/out.gguf" --consume; [ $? -eq 1 ] && untouched
ok $? "an output that exists leaves the source"
mkdir "$dir/blobs"
for f in "$dir"/m/*.safetensors; do mv "$f" "$dir/blobs/$(basename "$f").blob" && ln -s "$dir/blobs/$(basename "$f").blob" "$f"; done
run -t q8_0 -f -o "$dir/out.gguf" --consume && [ -z "$(ls "$dir/blobs")" ] && [ -z "$(ls "$dir"/m/*.safetensors 2>/dev/null)" ]
ok $? "a link goes with what it leads to" || shown "$dir/stderr"
finish
