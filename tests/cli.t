#!/bin/bash
# The command line: options, usage errors, exit statuses, suggestions, colours, JSON, signals.
. "$(dirname "$0")/lib.sh"
root=$PWD
case $heft in /*) ;; *) heft=$PWD/$heft ;; esac
cp -r $kjv "$dir/kjv-llama" && cd "$dir" || exit 1

pass() { # STATUS LABEL: shows what was said where it failed
	ok "$1" "$2" || { shown out; shown err; }
}
run() { "$heft" "$@" >out 2>err; status=$?; }
gives() { # STATUS NAME: of the last run
	[ "$status" -eq "$1" ]; pass $? "$2 (status $1, got $status)"
}
says() { # FILE TEXT NAME
	grep -qF -e "$2" "$1"; pass $? "$3"
}
misuse() { # TEXT ARGS...: status 2, one line with TEXT and a line that points to --help, no output
	text=$1; shift
	run "$@"
	[ $status -eq 2 ] && grep -qF -e "$text" err && [ "$(wc -l <err)" -eq 2 ] && grep -q -e "--help" err && [ ! -s out ]
	pass $? "heft $*: $text"
}
json() { # NAME: out is JSON with the schema's number
	perl -MJSON::PP -0777 -ne 'my $j = decode_json($_); exit !($j->{schema} == 1)' out
	pass $? "$1: valid JSON with a schema"
}

run --version; gives 0 "--version"; says out "heft 0." "--version names the version"
run --help; gives 0 "--help"; says out "convert" "--help lists the tools"
run; gives 2 "no tool"
run help convert; gives 0 "help convert"; says out "usage: heft convert SRC" "help convert is the tool's"
for tool in $(sed -n 's/^TOOL(\(.*\))/\1/p' "$root/src/cmd/list.h"); do
	run "$tool" --help; gives 0 "$tool --help"
	[ -z "$(awk 'length > 80' out)" ]; pass $? "$tool --help fits 80 columns"
	run "$tool" --version; gives 0 "$tool --version"
	misuse "unknown option '--no-such-option'" "$tool" --no-such-option
	ln -sf "$heft" "heft-$tool"
	./heft-"$tool" --help >out 2>err; says out "usage: heft $tool" "heft-$tool is heft $tool"
done

misuse "did you mean 'convert'?" convrt x
misuse "unknown tool 'zzzzzz'" zzzzzz
misuse "unknown option '-x'" -x
misuse "SRC is missing" convert
misuse "B is missing" diff a
misuse "'b' is one operand too many" convert a b
misuse "did you mean '--split-size'?" convert --splitsize 4G a
misuse "unknown option '--split'" convert --split 4G a
misuse "option '--force' takes no value" convert --force=yes a
misuse "option '--output' needs a value: OUT" convert a -o
misuse "option '--output' needs a value: OUT" convert a --output=
misuse "did you mean 'q4_k_m'?" convert a -t q4k_m
misuse "'heft types' lists the types" convert a -t nonsense
misuse "did you mean 'f16'?" convert a --via f17
misuse "--group-size does not know '96', only: 32, 64, 128" convert a --to gptq --group-size 96
misuse "--progress does not know 'maybe'" convert a --progress maybe
misuse "'4X' is not a size" convert a --split-size 4X
misuse "is not a size" convert a --split-size -- -1
misuse "is not a size" convert a --split-size 99999999999999999999
misuse "is not a size" convert a --split-size 20000000T
misuse "is not a size" convert a --split-size 1.5
misuse "is not a whole number" convert a -j two
misuse "--threads takes 1 to 1024" convert a -j 100000
misuse "is not a number" diff a b --max-rmse much
misuse "2 times --type but 1 times --output" convert a -t q8_0 -t f16 -o x
misuse "1 times --type but 2 times --output" convert a -t q8_0 -o x -o y
misuse "two outputs are called 'x'" convert a -t q8_0 -o x -t f16 -o x
misuse "--json and -o - both want standard output" convert a --json -o -
misuse "is not PATTERN=TYPE" convert a --tensor-type q8_0
misuse "add --to safetensors" convert a -o x.safetensors
misuse "--tensor-type does not know 'q4_kk'" convert a --tensor-type 'x=q4_kk'
misuse "did you mean 'list'?" arch lis
misuse "only: bash, zsh, fish" completion tcsh

run convert nowhere -o x.gguf; gives 1 "a source that is not there"
says err "heft convert: cannot open 'nowhere'" "the message names tool and subject"
grep -q '\[E101\]$' err && [ "$(wc -l <err)" -eq 1 ] && [ ! -e x.gguf ]; pass $? "one line, its code, no output"
run convert -- -n -o x.gguf; gives 2 "-- ends the options"
run info --json -- kjv-llama; gives 0 "an operand after --"

run types --json; gives 0 "types --json"; json types
run formats --json; json formats
run arch list --json; json "arch list"
run errors --json; json errors
run info kjv-llama --json; gives 0 "info --json"; json info
run info kjv-llama --tensors --metadata; gives 0 "info"; says out "family" "info says the family"
run check kjv-llama --json; gives 0 "check --json"; json check

echo '{"general.author": "A", "general.auhtor": "B"}' >meta.json
run convert kjv-llama --metadata meta.json -n; gives 0 "--metadata with an unknown key, which the reference ignores too"
mkdir -p begun lfs hub/models--a--B/snapshots/1
cp kjv-llama/config.json begun/
echo '{"metadata": {"total_size": 8393216}, "weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors", "model.norm.weight": "model-00002-of-00002.safetensors"}}' >begun/model.safetensors.index.json
run info begun; gives 0 "info of an index without its shards"; says out "missing       2 files" "it says how many are missing"
grep -q "parameters *4.20 M" out; pass $? "the parameters by the size that the index gives"
cp kjv-llama/* lfs/
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n' >lfs/tokenizer.model
run convert lfs -n; gives 1 "a Git LFS pointer as tokenizer"; says err "lfs/tokenizer.model: a Git LFS pointer" "the message names it"
cp lfs/tokenizer.model lfs/model.safetensors
run check lfs; gives 1 "check of Git LFS pointers"; [ "$(head -n 1 out)" = lfs/model.safetensors ]; pass $? "under the file's own name"
ln -s ../../blobs/00 hub/models--a--B/snapshots/1/model.safetensors
cp kjv-llama/config.json kjv-llama/tokenizer* hub/models--a--B/snapshots/1/
run info hub/models--a--B; gives 0 "info of a snapshot whose blob is missing"; says out "missing" "it says so"
run check hub/models--a--B; gives 1 "check of it"; says out "1 error" "one finding"

run convert kjv-llama -t q8_0 -n --json; gives 0 "convert -n --json"; json "convert -n"
size=$(perl -MJSON::PP -0777 -ne 'print decode_json($_)->{outputs}[0]{size}' out)
run convert kjv-llama -t q8_0 -n; gives 0 "convert -n"; [ ! -e kjv.gguf ] && grep -q "$size bytes" out
pass $? "the plan names the size and nothing is written"
run convert kjv-llama -t q8_0 -o kjv.gguf --json; gives 0 "convert --json"; json "convert"
[ "$(wc -c <kjv.gguf)" -eq "$size" ]; pass $? "the file is as long as the plan said"
[ ! -s err ]; pass $? "nothing on standard error but the summary, and not that with --json"
run convert kjv-llama -t q8_0 -o kjv.gguf; gives 1 "an output that exists"; says err "[E105]" "its code"
run convert kjv-llama -tq8_0 --output=kjv.gguf -fq; gives 0 "-tTYPE, --output=OUT, -fq"
[ ! -s out ] && [ ! -s err ]; pass $? "--quiet says nothing"
run convert kjv-llama -t q8_0 -o kjv.gguf -f; gives 0 "convert with a summary"
[ ! -s out ] && grep -q "bits per weight" err && ! grep -q "$(printf '\033')" err; pass $? "summary on standard error, no colours in a file"
run convert kjv-llama -t q8_0 -o -; gives 0 "to standard output"; cmp -s out kjv.gguf; pass $? "the same bytes and nothing else"
LC_ALL=C run convert kjv-llama -t q4_0 -o kjv.gguf -f --report report.json --histogram; gives 0 "convert --report"
perl -MJSON::PP -0777 -ne 'my ($t) = grep { $_->{name} eq "blk.0.ffn_down.weight" } @{decode_json($_)->{outputs}[0]{tensors}}; my $n = 0; my $e = $t->{error};
	$n += $_->[1] for @{$e->{histogram}}; exit !($n == $e->{count} && $e->{clipped} > 0 && $t->{bits_per_weight} == 4.5 && !$t->{weighted})' report.json
pass $? "the report counts every weight of a tensor once"
grep -q "clipped: [1-9]" err && grep -q "##" err; pass $? "--histogram draws"
run convert kjv-llama -t q8_0 -o other.gguf --report missing/report.json; gives 1 "--report into no folder"
[ ! -e other.gguf ] && ! ls other.gguf* 2>/dev/null; pass $? "then nothing is written"
run convert kjv-llama -t q8_0 -o kjv.gguf -f -q --progress=json; gives 0 "--progress=json"
perl -MJSON::PP -ne '$j = eval { decode_json($_) }; $good += $j && $j->{event} eq "progress" && $j->{total} > 0; $last = $j;
	END { exit !($. && $good == $. && $last->{done} == $last->{total}) }' err
pass $? "progress is one object per line, and the last says that all is done"
run diff kjv.gguf kjv.gguf --max-abs 0 --json; gives 0 "diff of a file with itself"; json diff
run convert kjv.gguf --to safetensors -t f32 -o names.safetensors -q; gives 0 "safetensors of a GGUF"
run diff names.safetensors kjv-llama --max-relative 0.01; gives 0 "diff of a GGUF's names with Hugging Face's"
run diff kjv-llama kjv.gguf --min-sqnr 200 -q; gives 1 "diff over a limit"; says err "[E601]" "its code"

if [ -e /dev/full ]; then
	"$heft" types >/dev/full 2>err; [ $? -eq 1 ] && grep -q "cannot write to standard output" err
	pass $? "a full disk on standard output"
else
	skip "a full disk on standard output" "no /dev/full"
fi
"$heft" types >&- 2>err; [ $? -eq 1 ]; pass $? "a closed standard output"
if script -qec true /dev/null >/dev/null 2>&1; then
	TERM=xterm script -qec "'$heft' types" /dev/null >out </dev/null
	grep -q "$(printf '\033')" out; pass $? "colours on a terminal"
	NO_COLOR=1 TERM=xterm script -qec "'$heft' types" /dev/null >out </dev/null
	! grep -q "$(printf '\033')" out; pass $? "none with NO_COLOR"
	TERM=dumb script -qec "'$heft' types" /dev/null >out </dev/null
	! grep -q "$(printf '\033')" out; pass $? "none with TERM=dumb"
else
	skip "colours" "no script(1) with -e"
fi
mkfifo pipe
"$heft" convert - -t q8_0 -o killed.gguf <pipe 2>err & # waits for input that does not come
pid=$!
exec 3>pipe
sleep 1
kill -TERM $pid; sleep 1; exec 3>&-
wait $pid; status=$?
[ $status -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && [ ! -e killed.gguf ]; pass $? "a stopped run: one line, status 1, no output (got $status)"
finish
