# Sourced by tests/*.t: TAP, paths and a folder that goes away. HEFT and BUILD come from `make check`. Works with bash 3.2.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
heft=${HEFT:-$PWD/heft} build=${BUILD:-build}
mkmodel=$build/tests/helper/mkmodel mklora=$build/tests/helper/mklora
kjv=testdata/kjv-llama
[ -x "$heft" ] && [ -x "$mkmodel" ] || { echo "Bail out! $heft or $mkmodel is missing: run make all units"; exit 1; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/heft-test.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
tap_n=0 tap_failed=0

ok() { # STATUS LABEL: a test that passed where STATUS is 0
	tap_n=$((tap_n + 1))
	[ "$1" = 0 ] && { echo "ok $tap_n - $2"; return 0; }
	echo "not ok $tap_n - $2"
	tap_failed=1
	return 1
}
skip() { # LABEL WHY
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}
finish() {
	echo "1..$tap_n"
	exit $tap_failed
}
shown() { # FILE: as TAP comments
	sed 's/^/# /' "$1" | head -n 8
}

pass() { # STATUS LABEL: shows what a command said into $dir/log where it failed
	ok "$1" "$2" || shown "$dir/log"
}
refused() { # STATUS WORDS LABEL ARGUMENT...: heft convert ends with STATUS, says WORDS, and $dir/no is not there
	local want=$1 words=$2 label=$3
	shift 3
	"$heft" convert "$@" 2>"$dir/log"
	[ $? = "$want" ] && [ ! -e "$dir/no" ] && grep -qF -e "$words" "$dir/log"
	pass $? "refused: $label"
}
says() { # STATUS TEXT LABEL ARGUMENT...: heft, the tool that $tool names, ends with STATUS and prints TEXT
	local status=$1 text=$2 label=$3
	shift 3
	"$heft" "$tool" "$@" >"$dir/log" 2>&1
	[ $? = "$status" ] && grep -q -e "$text" "$dir/log"
	ok $? "$label" || shown "$dir/log"
}

# model DIR PRESET [ARGS]: a checkpoint with kjv-llama's tokenizer
model() {
	local at=$1
	shift
	"$mkmodel" "$1" "$at" ${2+"${@:2}"} >/dev/null && cp "$kjv"/tokenizer* "$at/"
}

# beside_weights: bytes that --fit keeps of a machine for kjv-llama and 512 tokens: cache, computing, 1 GiB
beside_weights() {
	"$heft" fit "$kjv" --vram 24G --ctx 512 --json | awk -F'[:,]' '/^\t\t"(bytes|most)":/ { n += $2 } END { printf "%d", n + 2 ^ 30 }'
}

# safetensors FILE HEADER DATA-BYTES [LENGTH]: a file with any header; LENGTH overrides the true header length
safetensors() {
	local n=${4:-$(printf '%s' "$2" | wc -c)} i=0
	{
		while [ $i -lt 8 ]; do
			# shellcheck disable=SC2059
			printf "\\$(printf '%03o' $((n >> (8 * i) & 255)))"
			i=$((i + 1))
		done
		printf '%s' "$2"
		head -c "$3" /dev/zero
	} >"$1"
}
