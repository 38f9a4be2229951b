# Sourced by the scripts beside it: where things are, and TAP from heft against reference files.
# HEFT: the program. ORACLE: ../shared/oracle/run. HEFT_ORACLE_WORK: folder of checkpoints and reference files, kept between runs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
shared=${HEFT_SHARED:-$root/../shared}
oracle=${ORACLE:-$shared/oracle/run}
heft=${HEFT:-$root/heft}
work=${HEFT_ORACLE_WORK:-/var/tmp/heft-oracle-work}
kjv=$root/testdata/kjv-llama
[ -x "$oracle" ] || { echo "Bail out! the reference tools are missing: $oracle"; exit 1; }
[ -x "$heft" ] || { echo "Bail out! $heft is missing: run make"; exit 1; }
mkdir -p "$work"
work=$(cd "$work" && pwd)
exec {lock}<"$work" # scripts that run side by side make what they share one after the other
flock $lock
stamp=$(cat "$here"/make_checkpoint.py $(ls "$here"/cases_*.py 2>/dev/null) "$here"/reference.py "${HEFT_ORACLE:-/var/tmp/heft-oracle}/.version" | cksum)
if [ "$(cat "$work/stamp" 2>/dev/null)" != "$stamp" ]; then
	rm -rf "${work:?}"/*
	echo "$stamp" >"$work/stamp"
fi
flock -u $lock

# clients: wheels for the reference's Python from the Python index, mistral-common and tiktoken; the folder stands in $CLIENT_SITE, which the scripts
# put behind the reference's own modules. Made once.
clients() {
	local version pip
	export CLIENT_SITE=${CLIENT_SITE:-$work/clients-site}
	flock $lock
	[ ! -e "$CLIENT_SITE/ready" ] || { flock -u $lock; return 0; }
	version=$("$oracle" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	pip=("$work/clients-venv/bin/pip" install -q --disable-pip-version-check --no-deps --target "$CLIENT_SITE" --only-binary=:all:)
	pip+=(--python-version "$version" --platform manylinux_2_35_x86_64 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64)
	if ! { python3 -m venv "$work/clients-venv" && "${pip[@]}" mistral-common==1.13.1 tiktoken==0.14.0 pydantic==2.14.3 pydantic-core==2.50.4 \
		pydantic-extra-types==2.11.1 annotated-types==0.8.0 typing-inspection==0.4.5 jsonschema==4.26.0 jsonschema-specifications==2025.9.1 \
		referencing==0.37.0 rpds-py==2026.9.1 attrs==26.1.0 pycountry==26.2.16; } >"$work/clients-log" 2>&1; then
		echo "Bail out! mistral-common cannot be had: $(tail -n 1 "$work/clients-log")"
		exit 1
	fi
	touch "$CLIENT_SITE/ready"
	flock -u $lock
}

# compare LIST: "label TAB reference TAB ours" lines in, TAP out. Our files are removed; LIST is emptied.
compare() {
	"$oracle" python3 "$here/compare.py" --batch "$1" || true
	cut -f3 "$1" | while read -r f; do
		[ -z "$f" ] || rm -f "$f" "${f%-00001-of-*}"-0*-of-*.gguf
	done
	: >"$1"
}

# convert OUT ARGS...: runs heft; what it says when it fails is shown as a comment
convert() {
	local out=$1
	shift
	"$heft" convert "$@" -f -o "$out" >"$work/heft-$$.log" 2>&1 || sed 's/^/# heft: /' "$work/heft-$$.log" | tail -n 3
	rm -f "$work/heft-$$.log"
}

# tap: joins several TAP streams into one; the exit status says whether all passed
tap() {
	awk '/^Bail out/ { print; bad++; next }
	     /^1\.\./ { next }
	     /^(not )?ok / { n++; if ($1 == "not") bad++; sub(/ok [0-9]+/, "ok " n) }
	     { print; fflush() }
	     END { print "1.." n + 0; exit bad > 0 || n == 0 }'
}
