#!/bin/bash
# Models in the layouts of other runtimes: Ollama's store, a llamafile, NeMo's archives.
. "$(dirname "$0")/lib.sh"
"$heft" convert "$kjv" -t bf16 -f -o "$dir/kjv.gguf" >/dev/null 2>&1
"$heft" convert "$dir/kjv.gguf" -t q8_0 -f -o "$dir/want.gguf" >/dev/null 2>&1
cd "$dir" || exit 1
sum() { sha256sum "$1" 2>/dev/null | cut -c 1-64; }
command -v sha256sum >/dev/null || sum() { shasum -a 256 "$1" | cut -c 1-64; }

# ---- Ollama ----
store=$dir/store
mkdir -p "$store/blobs" "$store/manifests/registry.ollama.ai/library/kjv" "$store/manifests/hf.co/someone/kjv-GGUF"
layers=
layer() { # KIND FILE
	local hex
	hex=$(sum "$2")
	cp "$2" "$store/blobs/sha256-$hex"
	layers="$layers${layers:+,}{\"mediaType\":\"application/vnd.ollama.image.$1\",\"digest\":\"sha256:$hex\",\"size\":$(($(wc -c <"$2")))}"
}
printf '{{ .Prompt }}' >template
printf 'You are old.' >system
printf '{"temperature":0.25,"top_k":17,"stop":["x"],"num_ctx":4096}' >params
printf '\nKING JAMES LICENCE\n\nfree for all\n' >license
layer model kjv.gguf
for k in template system params license; do layer $k $k; done
printf '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","layers":[%s]}' "$layers" >manifest
cp manifest "$store/manifests/registry.ollama.ai/library/kjv/latest"
cp manifest "$store/manifests/registry.ollama.ai/library/kjv/1b"
cp manifest "$store/manifests/hf.co/someone/kjv-GGUF/Q8_0"
export OLLAMA_MODELS=$store

for name in kjv kjv:1b library/kjv hf.co/someone/kjv-GGUF:Q8_0 "$store/manifests/registry.ollama.ai/library/kjv/1b"; do
	"$heft" info --metadata "$name" >out 2>stderr && grep -q 'ollama.template.*{{ .Prompt }}' out && grep -q 'ollama.system.*You are old' out &&
		grep -q 'general.sampling.temp.*0.25' out && grep -q 'general.sampling.top_k.*17' out && grep -q 'general.license.name.*KING JAMES' out
	ok $? "info ${name#"$store"/}" || { shown stderr; shown out; }
done
"$heft" convert kjv:1b -t q8_0 -f -o got.gguf >/dev/null 2>stderr && "$heft" diff want.gguf got.gguf --max-rmse 0 >/dev/null 2>>stderr
ok $? "convert kjv:1b" || shown stderr
"$heft" info --metadata got.gguf >out 2>stderr && grep -q 'general.sampling.top_k' out && ! grep -q ollama. out
ok $? "the store's keys that are GGUF's go with it, the others do not" || shown out
"$heft" check --deep kjv:1b >out 2>stderr
ok $? "check --deep kjv:1b" || { shown out; shown stderr; }
refused() { # LABEL CODE PATTERN ARGS...
	local label=$1 code=$2 pattern=$3
	shift 3
	"$heft" info "$@" >out 2>stderr
	[ $? = 1 ] && [ "$(wc -l <stderr)" -eq 1 ] && grep -q "\[$code\]" stderr && grep -q -- "$pattern" stderr
	ok $? "$label" || shown stderr
}
refused "a name that the store does not have" E101 "cannot open" kjv:7b
refused "a name that leads out of the store" E101 "cannot open" ../../kjv:1b
sed 's/sha256:[0-9a-f]*/sha256:..\/..\/..\/etc\/passwd/' manifest >outside
refused "a digest that is a path" E209 "without a sha256 digest" outside
sed 's/"size":[0-9]*/"size":5/' manifest >short && cp short "$store/manifests/registry.ollama.ai/library/kjv/short"
refused "a blob that is too short" E202 "pull the model again" kjv:short
printf '{"layers":[{"mediaType":"application/vnd.ollama.image.template","digest":"sha256:%s"}]}' "$(sum template)" >none
refused "a manifest without a model" E209 "no layer" none
blob=$store/blobs/sha256-$(sum kjv.gguf)
printf 'x' | dd of="$blob" bs=1 seek=3000000 conv=notrunc 2>/dev/null
"$heft" check --deep kjv:1b >out 2>stderr
[ $? = 1 ] && grep -q E214 out
ok $? "check --deep tells a blob that is not what its name says" || { shown out; shown stderr; }
mv "$blob" gone
refused "a blob that is missing" E210 "pull the model again" kjv

# ---- llamafile: a program with a zip behind it ----
if command -v zip >/dev/null; then
	printf -- '-m\nkjv.gguf\n' >.args
	{ printf 'MZqFpD=\n'; head -c 100000 /dev/zero; } >kjv.llamafile
	zip -q0 model.zip kjv.gguf .args && cat model.zip >>kjv.llamafile
	"$heft" convert kjv.llamafile -t q8_0 -f -o got.gguf >/dev/null 2>stderr && cmp got.gguf want.gguf
	ok $? "a llamafile, offsets from the zip's beginning" || shown stderr
	zip -qA kjv.llamafile
	"$heft" convert kjv.llamafile -t q8_0 -f -o got.gguf >/dev/null 2>stderr && cmp got.gguf want.gguf
	ok $? "a llamafile, offsets from the file's beginning" || shown stderr
	{ printf 'MZqFpD=\n'; head -c 100000 /dev/zero; } >empty.llamafile
	refused "a program without a zip" E201 "program" empty.llamafile
fi
finish
