#!/bin/bash
# The page of --report FILE.html: what stands in it, that names from strangers cannot break it, the same bytes always, errors.
. "$(dirname "$0")/lib.sh"
page() { "$heft" convert "$@" -q 2>"$dir/log"; }
alone() { ! grep -qiE '<script|<link|<img|<iframe|<object|<embed|@import|url\(|src=|href=|https?:|javascript:' "$1"; } # nothing that a browser would go and get

page "$kjv" -t q4_k_m -o "$dir/a.gguf" --report "$dir/a.html"; pass $? "convert --report FILE.html"
[ "$(head -n 1 "$dir/a.html")" = "<!DOCTYPE html>" ] && [ "$(tail -n 1 "$dir/a.html")" = "</html>" ]; ok $? "it is a page, to its end"
alone "$dir/a.html"; ok $? "that refers to nothing"
! grep -qF -e "$dir" -e "$PWD" -e "$HOME/" "$dir/a.html" && ! grep -qE '20[0-9]{2}-[0-9]{2}-[0-9]{2}' "$dir/a.html"; ok $? "and tells no folder and no time"
missing=$(for w in "Size by part" "Error by layer" "Which type where" "Worst tensors" "Types" "Plan" "Tensors" "Metadata" "Provenance" "recipe q4_k_m" \
	"blk.1.attn_v.weight" "prefers-color-scheme:dark" "general.architecture" "--type=q4_k_m" "model.safetensors"; do
	grep -qF -e "$w" "$dir/a.html" || echo "$w"; done)
[ -z "$missing" ]; ok $? "it has all its sections" || echo "# without: $missing"
perl -0777 -ne 'my ($n) = /layer 2, q6_k: ([0-9.]+)%/; exit !($n > 0 && /6_k<\/span>|q6_k/ && (() = /<rect/g) > 60)' "$dir/a.html"; ok $? "bars with their numbers"

"$heft" convert "$kjv" -t q4_k_m -o "$dir/a.gguf" -f --report "$dir/a.json" -q && size=$(wc -c <"$dir/a.gguf") && grep -q "$size bytes" "$dir/a.html" &&
	perl -MJSON::PP -e 'local $/; open F, $ARGV[0]; my $j = decode_json(<F>); open F, $ARGV[1]; my $h = <F>;
	for my $t (@{$j->{outputs}[0]{tensors}}) { my $e = sprintf("%.3f%%", 100 * $t->{error}{relative}); my $n = quotemeta $t->{name};
		$h =~ m{class="name">$n</th>.*?>\Q$e\E</td>} or die "$t->{name} $e\n" }' "$dir/a.json" "$dir/a.html" 2>"$dir/log"
pass $? "size and errors are those of the JSON report"

page "$kjv" -t q4_k_m -o "$dir/a.gguf" -f -j 1 --report "$dir/one.html" && page "$kjv" -t q4_k_m -o "$dir/a.gguf" -f -j 5 --report "$dir/five.html"
cmp "$dir/one.html" "$dir/five.html" >"$dir/log" 2>&1 && cmp "$dir/one.html" "$dir/a.html" >"$dir/log" 2>&1; pass $? "the same bytes for any number of threads"
"$heft" quantize "$dir/a.gguf" "$dir/q.gguf" q8_0 --allow-requantize --report "$dir/q.html" -q 2>"$dir/log" && grep -q 'heft quantize' "$dir/q.html" && alone "$dir/q.html"
pass $? "quantize --report FILE.html"
page "$kjv" -t q8_0 -o "$dir/b.gguf" -t q3_k_s -o "$dir/c.gguf" --tensor-type 'attn_q=q5_k' --report "$dir/two.html" && grep -q 'b.gguf' "$dir/two.html" &&
	grep -q 'class="output">c.gguf' "$dir/two.html" && grep -qF -- "--tensor-type=attn_q=q5_k" "$dir/two.html" && alone "$dir/two.html"
pass $? "two outputs and a rule on one page"
for to in w4a16 mlx safetensors; do
	page "$kjv" --to $to -o "$dir/$to" --report "$dir/$to.htm" && grep -q 'Which type where' "$dir/$to.htm" && alone "$dir/$to.htm"
	pass $? "a page of --to $to"
done

"$heft" diff "$kjv" "$dir/a.gguf" --report "$dir/d.html" -q 2>"$dir/log" && grep -q 'a.gguf, measured against kjv-llama' "$dir/d.html" && grep -q 'Worst tensors' "$dir/d.html" &&
	alone "$dir/d.html" && "$heft" diff "$kjv" "$dir/a.gguf" -j 1 --report "$dir/d1.html" -q && cmp -s "$dir/d.html" "$dir/d1.html"
pass $? "diff --report FILE.html, the same for any number of threads"
"$heft" diff "$kjv" "$dir/a.gguf" --report "$dir/d.json" -q 2>"$dir/log" && perl -MJSON::PP -0777 -ne 'my ($t) = grep { $_->{name} eq "blk.0.ffn_up.weight" } @{decode_json($_)->{tensors}};
	my $n = 0; $n += $_->[1] for @{$t->{error}{histogram}}; exit !($n && $n == $t->{error}{count})' "$dir/d.json"
pass $? "diff --report FILE.json has histograms"
"$heft" diff "$kjv" "$dir/a.gguf" --min-sqnr 200 --report "$dir/e.html" -q 2>"$dir/log"; [ $? = 1 ] && [ -s "$dir/e.html" ]; ok $? "also where a limit does not hold"

# names from strangers
mkdir "$dir/evil"
evil='model.layers.0.</td><script>window.alive=1</script>.weight'
safetensors "$dir/evil/<script>alert(1)&\"'.safetensors" "{\"__metadata__\":{\"<b onload=x>\":\"<script>alert(2)</script>\"},\"$evil\":{\"dtype\":\"F32\",\"shape\":[2,32],\"data_offsets\":[0,256]},\
\"a\\\"b'c&lt;d\":{\"dtype\":\"F32\",\"shape\":[32],\"data_offsets\":[256,384]},\"\\u202eright\\u0007to\\ufffeleft\\u001b[2J\":{\"dtype\":\"F32\",\"shape\":[1,32],\"data_offsets\":[384,512]},\
\"model.layers.99999999999999999999.x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[512,516]}}" 516 2>"$dir/log"
page "$dir/evil/"*.safetensors --arch none -t q8_0 -o "$dir/evil.gguf" --report "$dir/evil.html"; pass $? "a page of names that want to be markup"
alone "$dir/evil.html" && grep -qF 'a&quot;b&#39;c&amp;lt;d' "$dir/evil.html" && grep -qF '&lt;script&gt;window.alive=1' "$dir/evil.html"; ok $? "they are text"
! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80\xae|\xef\xbf\xbe' "$dir/evil.html" && iconv -f UTF-8 -t UTF-8 "$dir/evil.html" >/dev/null 2>&1
ok $? "nothing steers, all of it is UTF-8"
name=$(printf '\377\300bad')
if cp "$dir/a.gguf" "$dir/$name.gguf" 2>/dev/null; then
	"$heft" diff "$dir/a.gguf" "$dir/$name.gguf" --report "$dir/name.html" -q 2>"$dir/log" && iconv -f UTF-8 -t UTF-8 "$dir/name.html" >/dev/null 2>&1 && grep -qF '\xff\xc0bad' "$dir/name.html"
	pass $? "a file's name that is no UTF-8"
else
	skip "a file's name that is no UTF-8" "the file system refuses it"
fi

# errors
page "$kjv" -t q8_0 -o "$dir/no" --report "$dir/missing/a.html"; [ $? = 1 ] && [ ! -e "$dir/no" ]; ok $? "into no folder: before the work"
cp "$dir/a.html" "$dir/kept.html" && page "$dir/a.html" -t q8_0 -o "$dir/no" --report "$dir/kept.html"
[ $? != 0 ] && cmp -s "$dir/a.html" "$dir/kept.html" && ! ls "$dir"/kept.html.* >/dev/null 2>&1; ok $? "a run that failed leaves the page that was there"
if [ -z "${HEFT_SANITIZE:-}" ] && command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	strace -f -qq -o "$dir/trace" -e trace=fsync -e inject=fsync:error=ENOSPC "$heft" diff "$kjv" "$dir/a.gguf" --report "$dir/full.html" -q 2>"$dir/log"
	[ $? = 1 ] && grep -q "cannot write '.*full.html': No space left" "$dir/log" && ! ls "$dir"/full.html* >/dev/null 2>&1; pass $? "a full disk is an error and leaves nothing"
else
	skip "a full disk is an error and leaves nothing" "no strace here"
fi

# in the terminal
if script -qec true /dev/null >/dev/null 2>&1; then
	for where in C:'attention  .*  #' C.UTF-8:'attention  .*  █'; do
		LC_ALL=${where%%:*} TERM=xterm script -qec "'$heft' convert '$kjv' -t q4_k_m -f -o '$dir/a.gguf'" /dev/null >"$dir/log" </dev/null
		grep -q "size by part" "$dir/log" && grep -q "error by layer, 0 to 3" "$dir/log" && grep -qE "${where#*:}" "$dir/log" && grep -q "worst tensors" "$dir/log"
		pass $? "bars in a terminal, ${where%%:*}"
	done
	NO_COLOR=1 LC_ALL=C TERM=xterm script -qec "'$heft' convert '$kjv' -t q4_k_m -f -o '$dir/a.gguf' --progress none" /dev/null >"$dir/log" </dev/null
	grep -q "size by part" "$dir/log" && ! grep -q "$(printf '\033')" "$dir/log"; pass $? "without colours where NO_COLOR asks for that"
else
	skip "bars in a terminal" "no script(1) with -e"
fi
"$heft" convert "$kjv" -t q4_k_m -f -o "$dir/a.gguf" 2>"$dir/log"; ! grep -q "size by part" "$dir/log"; ok $? "no bars in a file"
finish
