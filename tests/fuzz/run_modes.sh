#!/bin/bash
# Each way of running `xenrig fuzz`, on a subject with a bug: it is found, told as text and as JSON, replayed, made
# smaller, and not found where it is not.
# usage: run_modes.sh XENRIG PROGRAM SUBJECT     PROGRAM: fuzz_blkback; SUBJECT: a blkback with BACK_LEAKS_MAPPING
set -euo pipefail
[[ $# == 3 ]] || { sed -n 4p "$0" >&2; exit 2; }
xenrig=$1 program=$2 subject=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

die() { echo "$*"; cat out err 2>/dev/null || true; exit 1; }
# exits CODE ARGS...: stdout and stderr go to out and err.
exits() {
    local wanted=$1 code=0
    shift
    "$xenrig" "$@" >out 2>err || code=$?
    [[ $code == "$wanted" ]] || die "exit $code, not $wanted: xenrig $*"
}
says() { grep -q -- "$1" "$2" || die "$2 says no '$1'"; }

# The named seeds find it.
exits 1 fuzz blkback --program "$program" --subject "$subject" --time 20
says '^found: .*/\?blkback-crash-' out
says '^leak (step ' err
token=$(sed -n 's/^  replay: xenrig replay \(x1[^ ]*\) --subject .*/\1/p' out | head -1)
[[ -n $token ]] || die "no token"
crash=$(sed -n 's/^found: //p' out | head -1)

exits 1 replay "$token" --subject "$subject"
says '^leak (step ' out
exits 2 replay "$token"
says 'this token was made with a subject' err
exits 2 replay x1.fuzz-blkback.84c7fa2a.bytes=1.AA --subject "$subject"
says 'made without a subject' err

exits 1 fuzz blkback --program "$program" --subject "$subject" --time 20 --json
python3 - <<'P' || die "the summary is no JSON with a token"
import json
said = json.load(open('out'))
assert said['target'] == 'blkback' and said['executions'] > 0, said
assert said['found'] and said['found'][0]['token'].startswith('x1.fuzz-blkback.'), said
P

exits 0 fuzz blkback --program "$program" --subject "$subject" --minimize "$crash" --time 5
[[ -s $crash.min && $(stat -c %s "$crash.min") -le $(stat -c %s "$crash") ]] || die "nothing smaller than $crash"

# Our own driver has no such bug.
exits 0 fuzz blkback --program "$program" --check-reset --runs 200
says '200 inputs in two orders, .* 0 played differently' out

exits 2 fuzz blkback --program "$program" --subject "$folder/nothing.so"
says 'there is no such file' err
echo nothing >empty.so
exits 2 fuzz blkback --program "$program" --subject ./empty.so
says 'a subject is a shared library' err
exits 2 fuzz xenstore_wire --program "$program" --subject "$subject"
says 'subject is for blkback and blkfront' err
exits 2 fuzz blkback --program "$folder/nothing"
says 'is not built' err
