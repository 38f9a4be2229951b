#!/bin/bash
# heft meta: keys of GGUF and safetensors files, in place and rewritten; tensors stay; a kill leaves the old file or the new one.
. "$(dirname "$0")/lib.sh"
tool=meta
run() { "$heft" meta "$@" >"$dir/stdout" 2>"$dir/stderr"; }
get() { "$heft" meta get "$@" 2>"$dir/stderr"; }
is() { # KEY VALUE LABEL
	[ "$(get "$f" "$1")" = "$2" ]
	ok $? "$3" || shown "$dir/stderr"
}
sum() { "$heft" cat "$1" '*' --as raw | cksum; }
way() { # WAY LABEL ARGS...
	local want=$1 label=$2
	shift 2
	run "$@" --json && grep -q "\"way\": \"$want\"" "$dir/stdout" && [ "$(sum "$f")" = "$tensors" ]
	ok $? "$label" || { shown "$dir/stdout"; shown "$dir/stderr"; }
}

f=$dir/m.gguf
"$heft" convert "$kjv" -t q4_0 -o "$f" -q && cp "$f" "$dir/first.gguf"
tensors=$(sum "$f")

way "in place" "a text of the same length" set "$f" general.name=str:"$(get "$f" general.name | tr 'a-z' 'b-za')"
way "in place" "back again" set "$f" general.name=str:"$(get "$f" general.name | tr 'b-za' 'a-z')"
cmp "$f" "$dir/first.gguf"; ok $? "which is the file that it was"
way "none" "a value that it has" set "$f" general.name=str:"$(get "$f" general.name)"
way "in place" "a number" set "$f" llama.context_length=int:77
is llama.context_length 77 "it is there"
way "rewrite" "a longer text" set "$f" general.description=str:"A model of nothing but verses"
is general.description "A model of nothing but verses" "it is there, too"
way "rewrite" "several at once" set "$f" x.b=bool:true x.f=f64:0.1 x.u=u64:5000000000 x.i=int:-3 'x.a=json:[1,2,3]' 'x.s=json:["a","b\nc"]' 'x.d=json:[1,2.5]' x.e=str:
[ "$(get "$f" 'x.*' | cksum)" = "$(cat <<'END' | cksum
x.b bool = true
x.f f64 = 0.1
x.u u64 = 5000000000
x.i i32 = -3
x.a i32[] = [1, 2, 3]
x.s string[] = [a, b\nc]
x.d f32[] = [1, 2.5]
x.e string = 
END
)" ]
ok $? "each with its type" || get "$f" 'x.*' | sed 's/^/# /'
way "in place" "an array of the same length keeps its type" set "$f" 'x.a=json:[4,5,6]'
is x.a '[4, 5, 6]' "and has the new values"
"$heft" check "$f" >"$dir/log" 2>&1; ok $? "heft check finds nothing wrong" || shown "$dir/log"
way "rewrite" "they go" rm "$f" 'x.*'
way "rewrite" "the last one too" rm "$f" general.description
way "in place" "and the number" set "$f" llama.context_length=int:"$(get "$dir/first.gguf" llama.context_length)"
cmp "$f" "$dir/first.gguf"; ok $? "after all that it is the first file again"

echo '{"general.license": "mit", "general.tags": ["verses", "old"], "x.n": 3}' >"$dir/in.json"
way "rewrite" "from a JSON file" import "$f" "$dir/in.json"
[ "$(get "$f" general.license)" = mit ] && [ "$(get "$f" general.tags)" = "[verses, old]" ]; ok $? "its keys are there"
cp "$dir/first.gguf" "$dir/to.gguf"
run import "$dir/to.gguf" "$f" --only 'general.l*' && [ "$(get "$dir/to.gguf" general.license)" = mit ] && ! get "$dir/to.gguf" x.n >/dev/null
ok $? "from another GGUF, those that --only names" || shown "$dir/stderr"
cp "$f" "$dir/before"
run set "$f" x.new=int:1 -n && cmp "$f" "$dir/before" && run set "$f" x.new=int:1 -o "$dir/other.gguf" && cmp "$f" "$dir/before" &&
	[ "$(get "$dir/other.gguf" x.new)" = 1 ]
ok $? "-n writes nothing; -o another file" || shown "$dir/stderr"
chmod 640 "$f"; run set "$f" x.new=int:1; [ "$(stat -c %a "$f" 2>/dev/null || stat -f %Lp "$f")" = 640 ]; ok $? "permissions stay"
cp "$dir/first.gguf" "$dir/blob"; ln -s blob "$dir/link.gguf"
run set "$dir/link.gguf" llama.context_length=int:9 && cmp "$dir/blob" "$dir/first.gguf" && [ ! -L "$dir/link.gguf" ]
ok $? "what a link points to stays, the name gets a file of its own" || shown "$dir/stderr"

# what other tools must not lose
says 1 'E506' "general.alignment is not changed" set "$f" general.alignment=int:64 -f
says 1 'E506' "nor is split.count" set "$f" split.count=u16:2 -f
says 1 '\-\-force.*E506' "the architecture needs --force" set "$f" general.architecture=str:gpt2
says 0 'warning.*may not load' "which warns" set "$f" general.architecture=str:gpt2 --force
says 1 'E504' "a key that is not there" rm "$f" no.such
says 1 'did you mean .general.name.*E504' "one that is almost there" rm "$f" general.nmae
says 1 'did you mean .general.name.*E504' "one that is asked for" get "$f" general.file_type general.nmae
way "rewrite" "the largest integer" set "$f" x.most=u64:18446744073709551615
is x.most 18446744073709551615 "is there"
way "rewrite" "what two patterns name goes once" rm "$f" x.most 'x.m*'
says 1 'E506' "a value that is none" set "$f" x=int:five
says 1 'E506' "a number that its type cannot hold" set "$f" x=u8:256
says 1 'E506' "an array of two kinds" set "$f" 'x=json:[1,"a"]'
says 1 'E506' "a type that is none" set "$f" x=word:five
says 1 'E216' "JSON that is none" set "$f" 'x=json:[1'
says 1 'E105' "an output that exists" set "$f" x=int:5 -o "$dir/blob"
says 1 'E106' "an output that is the input" set "$f" x=int:5 -f -o "$f"
says 1 'E506' "a stream" set - x=int:5
says 2 'takes FILE' "no value" set "$f"
says 2 'only: get' "a command that is none" put "$f"

# safetensors: texts, in each file of a set
model "$dir/st" llama layers=2 shards=3
n=$(ls "$dir/st"/*.safetensors | wc -l)
f=$dir/st tensors=$(sum "$dir/st")
cp -R "$dir/st" "$dir/old"
way "rewrite" "safetensors, with room for more" set "$f" note=str:'ein "Wort"' format=str:pt
is note 'ein "Wort"' "read again"
for s in "$dir/st"/*.safetensors; do [ $((($(wc -c <"$s") - $(wc -c <"$dir/old/${s##*/}")) % 4096)) = 0 ] || n=0; done
[ $n -gt 1 ]; ok $? "the tensors are where they were in their pages"
for s in "$dir/st"/*.safetensors; do [ "$(get "$s" note)" = 'ein "Wort"' ] || n=0; done
[ $n -gt 1 ]; ok $? "in every file of the set"
way "in place" "the same length" set "$f" note=str:'ein "Satz"'
way "in place" "shorter: the header is filled with spaces" rm "$f" note
"$heft" check "$f" >"$dir/log" 2>&1; ok $? "heft check finds nothing wrong with them" || shown "$dir/log"
says 1 'only strings' "a number" set "$f" note=int:5
cp -R "$dir/old/." "$dir/st"
run set "$dir/st/model-00002-of-0000$n.safetensors" only=str:here && run rm "$f" only && [ -z "$(get "$f" only)" ]
ok $? "a key that one of them has goes" || shown "$dir/stderr"
cp testdata/samples/good-empty.gguf "$dir/empty.gguf"
run set "$dir/empty.gguf" x=u8:1 && [ "$(get "$dir/empty.gguf" x)" = 1 ] && run set "$dir/empty.gguf" x=u8:2 && [ "$(get "$dir/empty.gguf" x)" = 2 ]
ok $? "a file without tensors" || shown "$dir/stderr"

# a set of GGUF parts: the first has the keys
"$heft" convert "$kjv" -t q4_0 --split-tensors 7 -o "$dir/set.gguf" -q
f=$(ls "$dir"/set-00002-of-*.gguf) tensors=$(sum "$f")
cat "$dir"/set-0000[2-9]*.gguf | cksum >"$dir/sums"
way "rewrite" "one part leads to the first" set "$f" general.description=str:"in parts"
is general.description "in parts" "read through any part"
cat "$dir"/set-0000[2-9]*.gguf | cksum | cmp - "$dir/sums"; ok $? "the others stay as they are"
says 1 'E506' "no new file of one part" set "$f" x=int:5 -o "$dir/no.gguf"

# shared blocks: on a file system of our own that can
shares() { # IMAGE FILE: mounts one, edits there; the tensors as they are stored, before and after
	unshare -m bash -c 'mkfs.btrfs -q "$1" >/dev/null && mkdir "$1.mnt" && mount -o loop "$1" "$1.mnt" && cp "$2" "$1.mnt/x.safetensors" && sync || exit 2
		"$3" cat "$1.mnt/x.safetensors" "*" --as raw | cksum
		"$3" meta set "$1.mnt/x.safetensors" note=str:shared --json >"$1.json" && "$3" cat "$1.mnt/x.safetensors" "*" --as raw | cksum
		umount "$1.mnt"' - "$1" "$2" "$heft"
}
if command -v mkfs.btrfs >/dev/null && truncate -s 120M "$dir/btrfs" && shares "$dir/btrfs" "$kjv/model.safetensors" >"$dir/log" 2>/dev/null; then
	all=$(wc -c <"$kjv/model.safetensors") copied=$(sed -n 's/.*"bytes_written": *\([0-9]*\).*/\1/p' "$dir/btrfs.json")
	[ "$(sort -u "$dir/log" | wc -l)" = 1 ] && [ "$copied" -lt 30000 ] && [ "$all" -gt 1000000 ]
	ok $? "tensors are shared: $copied of $all bytes are written" || shown "$dir/log"
else
	skip "tensors are shared" "no right to mount Btrfs, or no mkfs.btrfs"
fi

# Killed at every call that writes, and at those around them, or with calls that fail from one on; strace counts each kind by itself.
calls="pwrite64 write ioctl copy_file_range ftruncate fsync fchmod openat rename close"
# each HOW PREPARE CHECK ARGUMENT...: heft meta ARGUMENT... with each of its calls spoilt in turn; counts $died and $bad
each() {
	local how=$1 prepare=$2 check=$3 call i rc
	shift 3
	bad=0 died=0 olds=0 news=0
	for call in $calls; do
		for i in $(seq 1 60); do
			$prepare
			{ strace -o /dev/null -e trace=$call -e "inject=$call:${how/@/$i}" "$heft" meta "$@" -q >/dev/null 2>&1; } 2>/dev/null
			rc=$?
			[ $rc = 0 ] && break
			died=$((died + 1))
			$check $rc || bad=$((bad + 1))
		done
		[ $rc = 0 ] || bad=$((bad + 1))
	done
}
f=$dir/k.gguf
first_file() { cp "$dir/first.gguf" "$f"; }
one_of_two() {
	if cmp -s "$f" "$dir/first.gguf"; then olds=$((olds + 1)); else cmp -s "$f" "$dir/new" && news=$((news + 1)); fi
}
killed() { # LABEL ARGUMENT...
	local label=$1
	shift
	first_file; "$heft" meta "$@" -q; cp "$f" "$dir/new"
	each signal=KILL:when=@ first_file one_of_two "$@"
	[ $bad = 0 ] && [ $olds -gt 0 ] && [ $news -gt 0 ]
	ok $? "$label ($died kills: $olds times the old file, $news times the new one)"
}
old_set() { rm -rf "$dir/k" && cp -R "$dir/old" "$dir/k"; }
# each file of the set is one of both, and all are new when it is done again; a failure that could still be told leaves the old ones and nothing else
set_of_two() { # STATUS
	local s made=0
	for s in "$dir/old"/*.safetensors; do
		s=${s##*/}
		if cmp -s "$dir/k/$s" "$dir/new.set/$s"; then made=$((made + 1)); else cmp -s "$dir/k/$s" "$dir/old/$s" || return 1; fi
	done
	case $made in 0) olds=$((olds + 1));; "$n") news=$((news + 1));; *) between=$((between + 1));; esac
	if [ "$1" = 1 ] && ls "$dir/k" | grep -q tmp-; then return 1; fi
	rm -f "$dir/k"/*.tmp-*
	"$heft" meta set "$dir/k" note=str:longer -q 2>/dev/null && diff -r "$dir/k" "$dir/new.set" >/dev/null
}
set_spoilt() { # HOW LABEL: a rename that comes to nothing leaves the new files that were renamed before it
	between=0
	each "$1" old_set set_of_two set "$dir/k" note=str:longer
	[ $bad = 0 ] && [ $olds -gt $((5 * n)) ] && [ $between -gt 0 ] && [ $between -le $((3 * n)) ]
	ok $? "$2 ($died times: $olds times all are old, $news times all new, $between times some; again, and all are new)"
}
if [ -z "${HEFT_SANITIZE:-}" ] && command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then # the leak finder wants to trace, too
	killed "killed at any call: a change in place" set "$f" llama.context_length=int:99
	killed "killed at any call: a rewritten file" set "$f" general.description=str:"A model of nothing but verses"
	rm -f "$f".tmp-*
	cp -R "$dir/old" "$dir/new.set" && run set "$dir/new.set" note=str:longer
	set_spoilt signal=KILL:when=@ "a set, killed at any call: every file is the old or the new one"
	set_spoilt error=ENOSPC:when=@+ "a set, and a disk that is full from any call on"
else
	skip "a set: killed" "no strace, or a sanitizer"
	skip "a set: disk full" "no strace, or a sanitizer"
	skip "killed: in place" "no strace, or a sanitizer"
	skip "killed: rewritten" "no strace, or a sanitizer"
fi
mkdir "$dir/full"; cp "$dir/first.gguf" "$dir/full/m.gguf"
(trap '' XFSZ; ulimit -f 100; exec "$heft" meta set "$dir/full/m.gguf" general.description=str:longer) >/dev/null 2>"$dir/stderr"
[ $? -eq 1 ] && grep -q '\[E10[34]\]' "$dir/stderr" && cmp "$dir/full/m.gguf" "$dir/first.gguf" && [ "$(ls -A "$dir/full")" = m.gguf ]
ok $? "a disk that is full: the old file, and nothing else" || shown "$dir/stderr"
finish
