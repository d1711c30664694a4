#!/bin/sh
# The simulator beside real Xen, script by script: compare.sh XENRIG FOLDER [SEEDS]. FOLDER keeps Xen and the kernel.
#
# Real Xen is Debian's, under QEMU's emulation, with our bare kernel as its dom0. Exit code 77, with what to do: it can't
# be had here. A difference, and a script without answers, is a failure.
here=$(cd "$(dirname "$0")" && pwd)
xenrig=$1 folder=$2 seeds=${3:-"1 2"}
skip() { echo "skipped: $*"; exit 77; }
command -v qemu-system-x86_64 >/dev/null || skip "QEMU is missing; apt install --no-install-recommends qemu-system-x86"
command -v cc >/dev/null || skip "a C compiler is missing; apt install gcc"
[ -e /usr/include/xen/xen.h ] || skip "Xen's headers are missing; apt install libxen-dev"
timeout 60 "$here/fetch-xen.sh" "$folder" || skip "Debian's Xen can't be had; apt update, then: $here/fetch-xen.sh $folder"
"$here/build-kernel.sh" "$folder/kernel.elf" || exit 1

work=$(mktemp -d) failures=0 lines=0
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

compare() { # compare SCRIPT: the simulator's answers are those of Xen
    if ! "$here/ask-xen.sh" "$folder" "$1" >"$work/xen" || ! "$xenrig" hypercalls "$1" >"$work/ours" 2>"$work/log"; then
        echo "FAILED $1: no answers"; cat "$work/log"
        failures=$((failures + 1)); return
    fi
    answers=$(grep -c '^[0-9]' "$work/xen")
    lines=$((lines + answers))
    if [ "$answers" -eq 0 ] || ! diff "$work/ours" "$work/xen" >"$work/diff"; then
        echo "FAILED $1: $answers answers; < is the simulator, > is Xen:"; head -n 20 "$work/diff"
        failures=$((failures + 1))
    fi
}

for script in "$here"/../../../fixtures/xen-answers/scripts/*.ops; do compare "$script"; done
for seed in $seeds; do
    "$xenrig" hypercalls --generate "$seed" --length 20000 >"$work/seed-$seed" 2>/dev/null || exit 1
    compare "$work/seed-$seed"
done
echo "$lines operations compared with real Xen, $failures scripts differ"
[ "$lines" -gt 0 ] && [ "$failures" -eq 0 ]
