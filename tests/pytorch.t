#!/bin/bash
# PyTorch files at the command's level: what is in them is never run, whatever it is; --key; the report on what a pickle names.
. "$(dirname "$0")/lib.sh"

# No process, no socket, nothing written: for every hostile sample, and the good ones.
quiet() { # LABEL COMMAND...
	local label=$1
	shift
	for f in testdata/pytorch/*.pt testdata/samples/*; do
		strace -f -o "$dir/trace" -e trace=execve,execveat,fork,vfork,clone,clone3,socket,socketpair,connect,bind,openat,open,unlink,rename,mkdir,symlink,link \
			"$heft" "$@" "$f" >/dev/null 2>&1 </dev/null
		awk -v f="$f" '
			/execve\(/ && !first++ { next }
			/(exec|fork|socket|connect|bind|unlink|rename|mkdir|symlink|link)[a-z0-9]*\(/ { print f ": " $0 }
			/clone3?\(/ && !/CLONE_THREAD/ { print f ": " $0 }
			/open(at)?\(.*O_(WRONLY|RDWR|CREAT)/ { print f ": " $0 }' "$dir/trace"
	done >"$dir/found"
	[ ! -s "$dir/found" ]
	ok $? "$label: no process, no socket, nothing written" || shown "$dir/found"
}

traced() {
	if [ "${HEFT_SANITIZE:-}" ]; then # at its end the leak finder starts a process of its own
		skip "what heft asks the system for" "a sanitizer asks too"
		return
	fi
	if ! command -v strace >/dev/null || ! strace -o /dev/null true 2>/dev/null; then
		skip "what heft asks the system for" "no strace"
		return
	fi
	quiet "heft info" info --arch none
	quiet "heft check" check --arch none --deep
	quiet "heft convert -n" convert --arch none --to safetensors -t keep -n
}

report() {
	"$heft" check --arch none --json testdata/pytorch/bad-E218-memo.pt >"$dir/report"
	[ $? = 1 ] && grep -q '"global": {"pickle": "x/data.pkl", "module": "os", "name": "system", "opcode": "STACK_GLOBAL", "offset": 22, "called": true}' "$dir/report"
	ok $? "check --json says which global, where and by which opcode" || shown "$dir/report"
	"$heft" check --arch none testdata/pytorch/bad-E214-cve-2025-10156.pt >"$dir/report"
	grep -q E214 "$dir/report" && grep -q 'E218.*os.system' "$dir/report"
	ok $? "check reads on behind a checksum that does not fit" || shown "$dir/report"
	"$heft" convert testdata/pytorch/bad-E218-unused.pt --arch none --to safetensors -t keep -o "$dir/x" 2>"$dir/stderr"
	[ $? = 1 ] && [ ! -e "$dir/x" ] && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && grep -q 'os\.system' "$dir/stderr"
	ok $? "convert refuses with one line that names it" || shown "$dir/stderr"
}

keys() {
	local name
	for name in zip legacy tar python-2 protocol-0 nested; do
		"$heft" convert "testdata/pytorch/good-$name.pt" --arch none --to safetensors -t keep -f -o "$dir/$name" >"$dir/log" 2>&1
		cmp -s "$dir/$name" "$dir/zip"
		ok $? "good-$name.pt gives the same file" || shown "$dir/log"
	done
	"$heft" convert testdata/pytorch/good-nested.pt --key optimizer --arch none --to safetensors -t keep -f -o "$dir/key" >"$dir/log" 2>&1 && cmp -s "$dir/key" "$dir/zip"
	ok $? "--key names another dict" || shown "$dir/log"
	"$heft" convert testdata/pytorch/good-nested.pt --key lost --arch none --to safetensors -t keep -f -o "$dir/key" >"$dir/log" 2>&1
	[ $? = 1 ] && grep -q -- '--key' "$dir/log"
	ok $? "a key that is not there" || shown "$dir/log"
}

traced
report
keys
finish
