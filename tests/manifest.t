#!/bin/bash
# --manifest: digests that others can compute, the same however tensors are laid out; heft check --manifest names what differs.
. "$(dirname "$0")/lib.sh"
sum() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c 1-64; }
get() { perl -MJSON::PP -0777 -e 'my $j = decode_json(<STDIN>); print eval $ARGV[0], "\n"' "$2" <"$1"; } # FILE EXPRESSION of $j
tensors() { get "$1" 'join "\n", sort map { "$_->{name} $_->{type} @{$_->{shape}} $_->{size} $_->{sha256}" } @{$j->{tensors}}'; }

"$heft" convert "$kjv" -t q4_k_m -o "$dir/a.gguf" --manifest -q 2>"$dir/log" && [ -s "$dir/a.gguf.manifest.json" ]; pass $? "convert --manifest"
"$heft" convert "$kjv" -t q4_k_m -o "$dir/plain.gguf" -q && cmp -s "$dir/plain.gguf" "$dir/a.gguf" && [ ! -e "$dir/plain.gguf.manifest.json" ]; ok $? "the file itself is the same, and without it none is written"
m=$dir/a.gguf.manifest.json
[ "$(get "$m" '$j->{files}[0]{sha256}')" = "$(sum <"$dir/a.gguf")" ] && [ "$(get "$m" '$j->{files}[0]{size}')" = "$(wc -c <"$dir/a.gguf" | tr -d ' ')" ]; ok $? "a file's digest is sha256sum's"
"$heft" cat "$dir/a.gguf" blk.1.attn_v.weight --as raw >"$dir/raw" 2>"$dir/log" &&
	[ "$(get "$m" '(grep { $_->{name} eq "blk.1.attn_v.weight" } @{$j->{tensors}})[0]{sha256}')" = "$(sum <"$dir/raw")" ]
pass $? "a tensor's digest is that of its bytes, as heft cat writes them"
! grep -qF -e "$dir" -e "$PWD" "$m" && ! grep -qE '20[0-9]{2}-[0-9]{2}-[0-9]{2}' "$m"; ok $? "no folder and no time"
[ "$(get "$m" 'join ",", $j->{heft}, $j->{command}, $j->{recipe}, map { "$_->{name}=$_->{value}" } @{$j->{options}}')" = "$("$heft" --version | cut -d ' ' -f 2),convert,q4_k_m,type=q4_k_m" ] &&
	[ "$(get "$m" '"$j->{schema} $j->{tool} $j->{source}{files}[0]{name}"')" = "1 manifest model.safetensors" ]
ok $? "version, command, recipe, options, source"
"$heft" convert "$kjv" -t q4_k_m -o "$dir/a.gguf" -f -j 1 --manifest -q && cp "$m" "$dir/one" && "$heft" convert "$kjv" -t q4_k_m -o "$dir/a.gguf" -f -j 7 --manifest -q && cmp -s "$m" "$dir/one"
ok $? "the same for any number of threads"

# layouts
tensors "$m" >"$dir/want"
"$heft" convert "$kjv" -t q4_k_m --split-tensors 10 -o "$dir/s.gguf" --manifest -q 2>"$dir/log" && [ "$(get "$dir/s.gguf.manifest.json" 'scalar @{$j->{files}}')" = 4 ] &&
	tensors "$dir/s.gguf.manifest.json" | cmp -s - "$dir/want"
pass $? "a set of parts has one manifest, with the tensors' same digests"
"$heft" merge "$dir"/s-00001-of-*.gguf -o "$dir/merged.gguf" -q 2>"$dir/log"
for proof in "$m" "$m $dir" "$dir/s.gguf.manifest.json" "$dir/s.gguf.manifest.json $dir/merged.gguf" "$m $dir/merged.gguf"; do
	[ "$proof" = "$m $dir" ] && proof="$m $dir/a.gguf"
	# shellcheck disable=SC2086
	"$heft" check --manifest $proof >"$dir/log" 2>&1; pass $? "proved: $(echo "$proof" | sed "s|$dir/||g")"
done
for to in safetensors w4a16 mlx; do
	"$heft" convert "$kjv" --to $to -o "$dir/$to" --manifest -q 2>"$dir/log" && [ -s "$dir/$to/heft-manifest.json" ] && "$heft" check --manifest "$dir/$to/heft-manifest.json" >"$dir/log" 2>&1 &&
		[ "$(get "$dir/$to/heft-manifest.json" 'scalar grep { $_->{name} eq "config.json" } @{$j->{files}}')" = "$([ -e "$dir/$to/config.json" ] && echo 1 || echo 0)" ]
	pass $? "proved: a directory of --to $to, all its files"
done
cp -R "$dir/w4a16" "$dir/moved" && "$heft" check --manifest "$dir/moved/heft-manifest.json" -q && "$heft" check --manifest "$dir/w4a16/heft-manifest.json" "$dir/moved" -q; ok $? "also where it was moved to"
"$heft" convert "$dir/safetensors" --to w4a16 -o "$dir/again" -q 2>"$dir/log" && [ ! -e "$dir/again/heft-manifest.json" ]; pass $? "the source's manifest is not the output's"
"$heft" quantize "$dir/merged.gguf" "$dir/q.gguf" Q8_0 --allow-requantize --manifest -q 2>"$dir/log" && "$heft" check --manifest "$dir/q.gguf.manifest.json" -q; pass $? "quantize --manifest"

# on the way: nothing is read again but what does not come in its order, and the digests are the same
again() { sed -n 's/.* files\{0,1\}, \(.*\) read again for them$/\1/p' "$dir/log"; } # how much
"$heft" convert "$kjv" -t q4_k_m -o "$dir/way.gguf" --manifest 2>"$dir/log" && [ "$(again)" = nothing ]; pass $? "one file: nothing is read again"
"$heft" convert "$kjv" -t q4_k_m --split-tensors 7 -o "$dir/ways.gguf" --manifest 2>"$dir/log" && [ "$(again)" = nothing ]; pass $? "parts: nothing is read again"
"$heft" convert "$kjv" --to safetensors -o "$dir/wayst" --manifest 2>"$dir/log" && again | grep -q kB; pass $? "a directory: its small files are read"
moe=$dir/moe
"$build/tests/helper/mkmodel" mixtral "$moe" hidden=256 ffn=512 layers=2 experts=12 vocab=2048 >"$dir/log" && cp "$kjv"/token* "$moe/"
for j in 1 3 8; do
	"$heft" convert "$moe" -t q8_0 -j $j -o "$dir/moe$j.gguf" --manifest 2>"$dir/log" && [ "$(again)" = nothing ] && "$heft" check --manifest "$dir/moe$j.gguf.manifest.json" -q; pass $? "experts stacked out of order, $j threads: nothing is read again"
done
tar cf "$dir/moe.tar" -C "$dir" moe && "$heft" convert - -t q8_0 -o "$dir/piped.gguf" --manifest <"$dir/moe.tar" 2>"$dir/log" && tensors "$dir/moe1.gguf.manifest.json" >"$dir/a" &&
	tensors "$dir/piped.gguf.manifest.json" | cmp -s - "$dir/a" && "$heft" check --manifest "$dir/piped.gguf.manifest.json" -q; pass $? "of a stream: the same digests"
"$heft" convert "$kjv" -t q6_k -o "$dir/two.gguf" -t bf16 -o "$dir/three.gguf" --manifest -q 2>"$dir/log" && "$heft" check --manifest "$dir/two.gguf.manifest.json" -q &&
	"$heft" check --manifest "$dir/three.gguf.manifest.json" -q; pass $? "two outputs of one read"

# the manual's few lines of Python
if command -v python3 >/dev/null; then
	"$heft" convert "$kjv" -t q5_k_m -o "$dir/sealed.gguf" --manifest --report "$dir/sealed.json" -q && sed -n '/^import hashlib/,/^\.Ed/p' man/heft-convert.1 | sed '/^\.Ed/d' >"$dir/prove.py" &&
		(cd "$dir" && python3 prove.py) >"$dir/log" 2>&1 && printf x | dd of="$dir/sealed.gguf" bs=1 seek=2000000 conv=notrunc 2>"$dir/log" && ! (cd "$dir" && python3 prove.py) >"$dir/log" 2>&1
	pass $? "the manual's proof in Python holds, and finds a changed byte"
else
	skip "the manual's proof in Python" "no python3"
fi

# split, merge, meta, lora, Core ML
(cd "$dir" && cp a.gguf here.gguf && "$heft" split here.gguf --split-tensors 10 --manifest -q) 2>"$dir/log" && "$heft" check --manifest "$dir/here.gguf.manifest.json" -q >>"$dir/log" 2>&1 &&
	tensors "$dir/here.gguf.manifest.json" | cmp -s - "$dir/want" && [ "$(get "$dir/here.gguf.manifest.json" '"$j->{command} $j->{options}[0]{name} $j->{files}[0]{name}"')" = "split split-tensors here-00001-of-00004.gguf" ]
pass $? "split --manifest, in the folder itself"
"$heft" merge "$dir"/here-00001-of-*.gguf -o "$dir/joined.gguf" --manifest -q 2>"$dir/log" && "$heft" check --manifest "$dir/joined.gguf.manifest.json" -q && [ "$(get "$dir/joined.gguf.manifest.json" '$j->{command}')" = merge ]; pass $? "merge --manifest"
"$heft" meta set "$dir/joined.gguf" general.name=str:Other 2>"$dir/log" && grep -q "joined.gguf.manifest.json speaks of the file as it was" "$dir/log"; pass $? "meta warns of a manifest that is there"
! "$heft" check --manifest "$dir/joined.gguf.manifest.json" -q 2>"$dir/log"; ok $? "which no longer holds"
"$heft" meta set "$dir/joined.gguf" general.name=str:Third --manifest -q 2>"$dir/log" && "$heft" check --manifest "$dir/joined.gguf.manifest.json" -q && tensors "$dir/joined.gguf.manifest.json" | cmp -s - "$dir/want" &&
	[ "$(get "$dir/joined.gguf.manifest.json" 'join "|", $j->{command}, @{$j->{edits}}')" = "meta|set|general.name=str:Third" ]; pass $? "meta set --manifest"
"$heft" meta set "$dir/joined.gguf" general.name=str:Fourth -o "$dir/new.gguf" --manifest -q 2>"$dir/log" && "$heft" check --manifest "$dir/new.gguf.manifest.json" -q && "$heft" check --manifest "$dir/joined.gguf.manifest.json" -q; pass $? "meta -o --manifest"
n=$(get "$dir/wayst/heft-manifest.json" 'scalar @{$j->{files}}')
"$heft" meta set "$dir/wayst/model.safetensors" a=str:b --manifest -q 2>"$dir/log" && "$heft" check --manifest "$dir/wayst/heft-manifest.json" -q && [ "$(get "$dir/wayst/heft-manifest.json" 'scalar @{$j->{files}}')" = "$n" ] &&
	[ ! -e "$dir/wayst/model.safetensors.manifest.json" ]; pass $? "meta: the manifest of the file's directory, with all that it spoke of"
"$heft" meta get "$dir/joined.gguf" --manifest >"$dir/log" 2>&1; [ $? = 2 ]; pass $? "refused: meta get --manifest"
"$build/tests/helper/mklora" "$dir/lora" model.layers.0.self_attn.q_proj:256x256 >"$dir/log" && "$heft" lora merge "$kjv" "$dir/lora" -t q8_0 -o "$dir/lora.gguf" --manifest -q 2>"$dir/log" &&
	"$heft" check --manifest "$dir/lora.gguf.manifest.json" -q && [ "$(get "$dir/lora.gguf.manifest.json" '$j->{command}')" = lora ]; pass $? "lora merge --manifest"
package=$dir/net.mlpackage
"$heft" convert testdata/coreml/good-ios18.mlpackage --to coreml -t int8 -o "$package" --manifest -q 2>"$dir/log" && "$heft" check --manifest "$package.manifest.json" -q >>"$dir/log" 2>&1 &&
	[ "$(get "$package.manifest.json" 'join ",", sort map { $_->{name} } @{$j->{files}}')" = "net.mlpackage/Data/com.apple.CoreML/model.mlmodel,net.mlpackage/Data/com.apple.CoreML/weights/weight.bin,net.mlpackage/Manifest.json" ]
pass $? "a package of Core ML, all its files"
perl -e 'open my $f, "+<", $ARGV[0]; seek $f, 200, 0; print $f "\x7f\x01\x7f"' "$package/Data/com.apple.CoreML/weights/weight.bin"; "$heft" check --manifest "$package.manifest.json" >"$dir/log" 2>&1
[ $? = 1 ] && grep -q "bytes are others" "$dir/log"; pass $? "a changed constant is named"
"$heft" convert "$kjv" -t q4_k_m -o "$dir/page.gguf" --manifest --report "$dir/page.html" -q 2>"$dir/log" && grep -qF "$(sum <"$dir/page.gguf")" "$dir/page.html" &&
	grep -qF "$(get "$dir/page.gguf.manifest.json" '$j->{tensors}[5]{sha256}')" "$dir/page.html"; pass $? "the report's page has the digests"

# what differs
flip() { perl -e 'open my $f, "+<", $ARGV[0]; seek $f, $ARGV[1], 0; read $f, my $b, 1; seek $f, $ARGV[1], 0; print $f chr(ord($b) ^ 1)' "$1" "$2"; }
at=$("$heft" convert "$kjv" -t q4_k_m -o "$dir/none.gguf" -n --json | perl -MJSON::PP -0777 -ne 'print +(grep { $_->{name} eq "blk.2.ffn_up.weight" } @{decode_json($_)->{outputs}[0]{tensors}})[0]{offset}')
cp "$dir/a.gguf" "$dir/good.gguf" && flip "$dir/a.gguf" $((at + 77)); "$heft" check --manifest "$m" >"$dir/log" 2>&1
[ $? = 1 ] && grep -q "blk.2.ffn_up.weight: its bytes are others" "$dir/log" && grep -q "its sha256 is" "$dir/log" && grep -q "2 errors" "$dir/log"; pass $? "one bit of a tensor: the tensor and the file, exit status 1"
"$heft" check --manifest "$m" --json 2>/dev/null | perl -MJSON::PP -0777 -ne 'my $j = decode_json($_); exit !($j->{errors} == 2 && grep { ($_->{tensor} // "") eq "blk.2.ffn_up.weight" } @{$j->{problems}})'
ok $? "the same as JSON"
cp "$dir/good.gguf" "$dir/a.gguf" && "$heft" meta set "$dir/a.gguf" general.name=str:other >/dev/null 2>"$dir/log"; "$heft" check --manifest "$m" >"$dir/log" 2>&1
[ $? = 1 ] && grep -q "1 error" "$dir/log" && ! grep -q "bytes are others" "$dir/log"; pass $? "changed metadata: the file, no tensor"
"$heft" convert "$kjv" -t q5_k_m -o "$dir/a.gguf" -f -q; "$heft" check --manifest "$m" >"$dir/log" 2>&1
[ $? = 1 ] && grep -q "is q5_k, the manifest says q4_k" "$dir/log"; pass $? "another type is named"
rm "$dir/a.gguf"; "$heft" check --manifest "$m" >"$dir/log" 2>&1; [ $? = 1 ] && grep -q "the file is missing" "$dir/log"; pass $? "a file that is gone"
printf x >>"$dir/w4a16/config.json"; "$heft" check --manifest "$dir/w4a16/heft-manifest.json" >"$dir/log" 2>&1; [ $? = 1 ] && grep -q "config.json" "$dir/log" && grep -q "1 error" "$dir/log"
pass $? "a changed file beside the weights"
cp "$dir/good.gguf" "$dir/a.gguf" && head -c 1000 "$dir/good.gguf" >"$dir/a.gguf"; "$heft" check --manifest "$m" >"$dir/log" 2>&1; [ $? = 1 ] && grep -q "E202\|E203" "$dir/log"; pass $? "a file that cannot be read"

# broken ones, refusals
tool=check
hex=$(printf '%064d' 0)
for bad in '{' '[]' '{"tool":"manifest"}' '{"tool":"manifest","files":[{"name":"../a","size":1,"sha256":"'$hex'"}],"tensors":[]}' \
	'{"tool":"manifest","files":[{"name":"/etc/passwd","size":1,"sha256":"'$hex'"}],"tensors":[]}' '{"tool":"manifest","files":[{"name":"a","size":1,"sha256":"00"}],"tensors":[]}' \
	'{"tool":"manifest","files":[],"tensors":[{"name":"a","type":"f32","shape":[1,1,1,1,1,1,1,1,1],"size":4,"sha256":"'$hex'"}]}' \
	'{"tool":"manifest","files":[],"tensors":[{"name":"a","type":"f32","shape":[-1],"size":4,"sha256":"'$hex'"}]}'; do
	printf '%s' "$bad" >"$dir/bad.json"
	says 1 "E216" "refused: $(echo "$bad" | sed "s/$hex/.../")" --manifest "$dir/bad.json"
done
says 2 "SRC is missing" "check without anything" -q
says 2 "do not go with it" "--manifest and --deep" --manifest "$dir/bad.json" --deep
"$heft" convert "$kjv" -t q8_0 -o - --manifest >"$dir/log" 2>&1; [ $? = 2 ] && grep -q "not standard output" "$dir/log"; pass $? "refused: --manifest of standard output"
finish
