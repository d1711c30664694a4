#!/bin/sh
# The simulator beside real Xen, script by script: compare.sh XENRIG FOLDER [SEEDS [KINDS]]. FOLDER keeps Xen and the
# kernels.
#
# Real Xen is Debian's, under QEMU's emulation, with our bare kernels: as its dom0, and as the PV or PVH domain that this
# dom0 builds. Asked are all recorded scripts of a kind and one generated script for each seed and kind. Debian's Xen
# takes no 32-bit PV kernel; where XENRIG_XEN_PV32 names one that does (build-xen.sh makes it), those are asked, too.
# Exit code 77, with what to do: it can't be had here. A difference, and a script without answers, is a failure.
here=$(cd "$(dirname "$0")" && pwd)
xenrig=$1 folder=$2 seeds=${3:-1} kinds=${4:-"dom0 domu pvh pvh-32"}
skip() { echo "skipped: $*"; exit 77; }
command -v qemu-system-x86_64 >/dev/null || skip "QEMU is missing; apt install --no-install-recommends qemu-system-x86"
command -v "${CC:-cc}" >/dev/null || skip "a C compiler is missing; apt install gcc"
[ -e /usr/include/xen/xen.h ] || skip "Xen's headers are missing; apt install libxen-dev"
timeout 60 "$here/fetch-xen.sh" "$folder" || skip "Debian's Xen can't be had; apt update, then: $here/fetch-xen.sh $folder"
scripts=$here/../../../fixtures/xen-answers/scripts

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
# What answers for 32-bit PV kernels has a folder of its own; the kernels themselves are always built anew.
rm -f "$folder"/*.elf
if [ -n "${XENRIG_XEN_PV32-}" ]; then
    kinds="$kinds dom0-32 domu-32"
    mkdir "$work/pv32" && cp "$XENRIG_XEN_PV32" "$work/pv32/xen" || exit 1
fi
folder_of() { case $1 in dom0-32 | domu-32) echo "$work/pv32" ;; *) echo "$folder" ;; esac; }
for kind in $kinds; do
    "$here/build-kernel.sh" "$(folder_of "$kind")/$kind.elf" "$kind" || exit 1
done
[ -s "$folder/dom0.elf" ] || "$here/build-kernel.sh" "$folder/dom0.elf" dom0 || exit 1
[ ! -d "$work/pv32" ] || cp "$folder/dom0.elf" "$work/pv32/" || exit 1

compare() { # compare KIND SCRIPT NAME: the simulator's answers are those of Xen
    if ! "$here/ask-xen.sh" "$(folder_of "$1")" "$2" "$1" >"$work/$3.xen" 2>"$work/$3.log" ||
        ! "$xenrig" hypercalls "$2" --as "$1" >"$work/$3.ours" 2>>"$work/$3.log"; then
        # A script that ends its domain ends the simulator's run, too: that is an answer.
        grep -q '^@@FAULT the domain ended' "$work/$3.ours" 2>/dev/null ||
            { echo "FAILED $1 $2: no answers"; tail -n 20 "$work/$3.log"; return 1; }
    fi
    answers=$(grep -c '^[0-9]' "$work/$3.xen")
    echo "$answers" >"$work/$3.count"
    if [ "$answers" -eq 0 ] || ! diff "$work/$3.ours" "$work/$3.xen" >"$work/$3.diff"; then
        echo "FAILED $1 $2: $answers answers; < is the simulator, > is Xen:"; head -n 20 "$work/$3.diff"; return 1
    fi
}

# Two at once: each is a machine of one processor.
{
    for kind in $kinds; do
        ending=.$kind.answers
        [ "$kind" != dom0 ] || ending=.answers
        for script in "$scripts"/*.ops; do
            [ ! -e "${script%.ops}$ending" ] || echo "$kind $script"
        done
        for seed in $seeds; do
            "$xenrig" hypercalls --generate "$seed" --length 20000 --as "$kind" >"$work/seed-$seed.$kind.ops" 2>/dev/null ||
                echo "$kind /no-script"
            echo "$kind $work/seed-$seed.$kind.ops"
        done
    done
} >"$work/list"
half() { # half 0|1: every other line of the list
    n=0 failed=0
    while read -r kind script; do
        n=$((n + 1))
        [ $((n % 2)) -eq "$1" ] || continue
        compare "$kind" "$script" "$n" || failed=$((failed + 1))
    done <"$work/list"
    return $failed
}
half 0 >"$work/first" & other=$!
half 1; failures=$?
wait $other || failures=$((failures + 1))
cat "$work/first"
lines=$(cat "$work"/*.count 2>/dev/null | awk '{ n += $1 } END { print n + 0 }')
echo "$lines operations compared with real Xen ($kinds), $(wc -l <"$work/list") scripts, $failures failures"
[ "$lines" -gt 0 ] && [ "$failures" -eq 0 ]
