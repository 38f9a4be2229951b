#!/bin/bash
# heft check --deep compares files with the SHA-256 that the Hub cache, sum files and Git LFS pointers give for them.
. "$(dirname "$0")/lib.sh"

sum() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
fresh() { # a model of its own for each case
	rm -rf "$dir/m"
	mkdir "$dir/m" && cp "$kjv"/* "$dir/m/" 2>/dev/null
	good=$(sum "$dir/m/model.safetensors" | cut -d ' ' -f 1)
	bad=$(printf '%s' "$good" | tr '0-9a-f' '1-9a-f0')
}
finds() { # STATUS TEXT LABEL: check ends with STATUS and says TEXT (none: nothing of sums)
	"$heft" check --deep "$dir/m" >"$dir/stdout" 2>&1
	[ $? = "$1" ] && if [ -n "$2" ]; then grep -q "$2" "$dir/stdout" && grep -q E214 "$dir/stdout"; else ! grep -q E214 "$dir/stdout"; fi
	ok $? "$3" || shown "$dir/stdout"
}

fresh
(cd "$dir/m" && sum -- * >"$dir/SHA256SUMS" && mv "$dir/SHA256SUMS" .)
finds 0 '' 'SHA256SUMS: all right'
printf '%s *model.safetensors\n' "$(printf '%s' "$good" | tr 'a-f' 'A-F')" >"$dir/m/x.sha256" && rm "$dir/m/SHA256SUMS"
finds 0 '' 'capitals, and the star of binary files'
printf '%s  model.safetensors\r\n' "$bad" >"$dir/m/sha256sum.txt"
finds 1 "sha256 is $good" 'a sum that differs'
fresh; printf '%s  ./tokenizer_config.json\n' "$bad" >"$dir/m/SHA256SUMS"
finds 1 'tokenizer_config.json' 'also of a file that is no weight'
fresh; printf '%s  gone.bin\n' "$bad" >"$dir/m/SHA256SUMS"
finds 1 'the file is missing' 'a file that is named and not there'
fresh; printf '%s  ../../etc/passwd\n' "$bad" >"$dir/m/SHA256SUMS"
finds 1 'outside of its folder' 'a name that leads out of the folder'
fresh; printf 'hello\n\n%s\n%s model.safetensors\n' "$bad" "$bad" >"$dir/m/SHA256SUMS"
finds 0 '' 'lines that are none say nothing'
fresh; printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 8\n' "$good" >"$dir/m/model.safetensors.lfs"
finds 0 '' "a Git LFS pointer's oid: all right"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 8\n' "$bad" >"$dir/m/model.safetensors.lfs"
finds 1 'model.safetensors.lfs says' "a Git LFS pointer's oid that differs"
fresh; mkdir -p "$dir/m/.cache/huggingface/download"
printf '0123456789abcdef0123456789abcdef01234567\n%s\n1700000000.0\n' "$good" >"$dir/m/.cache/huggingface/download/model.safetensors.metadata"
finds 0 '' "a download's metadata: all right"
printf '0123456789abcdef0123456789abcdef01234567\n%s\n1700000000.0\n' "$bad" >"$dir/m/.cache/huggingface/download/model.safetensors.metadata"
finds 1 'metadata says' "a download's metadata that differs"
printf '0123456789abcdef0123456789abcdef01234567\nd670fb9e5b0a2f6d4c6b8f1b9c6bd6a8a1f0c0de\n1700000000.0\n' >"$dir/m/.cache/huggingface/download/model.safetensors.metadata"
finds 0 '' 'a git hash says nothing'
fresh; mkdir "$dir/m/blobs" && mv "$dir/m/model.safetensors" "$dir/m/blobs/$good" && ln -s "blobs/$good" "$dir/m/model.safetensors"
finds 0 '' "the cache's link: all right"
mv "$dir/m/blobs/$good" "$dir/m/blobs/$bad" && ln -sf "blobs/$bad" "$dir/m/model.safetensors"
finds 1 "the cache's name for it" "the cache's link that differs"
finish
