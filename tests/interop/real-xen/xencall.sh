#!/bin/sh
# Scripts of hypercalls issued by a Linux dom0 through libxencall, beside the simulator: xencall.sh XENRIG FOLDER [SEEDS].
# FOLDER keeps what is downloaded.
#
# Compared are the lines that Linux can ask (linux/common-part.awk), with ports by the order in which they come. Exit
# code 77, with what to do: it can't be had here.
here=$(cd "$(dirname "$0")" && pwd)
xenrig=$1 folder=$2 seeds=${3:-1}
skip() { echo "skipped: $*"; exit 77; }
need() { command -v "$1" >/dev/null || skip "$1 is missing; apt install --no-install-recommends $2"; }
need qemu-system-x86_64 qemu-system-x86
need cpio cpio
need objdump binutils
need "${CC:-cc}" gcc
[ -e /usr/include/xencall.h ] || skip "libxencall is missing; apt install libxen-dev"
{ timeout 60 "$here/fetch-xen.sh" "$folder" && timeout 200 "$here/fetch-linux.sh" "$folder"; } ||
    skip "Debian's Xen and Linux can't be had; apt update, then: $here/fetch-linux.sh $folder"

work=$(mktemp -d)
trap 'kill $qemu 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
kernel=$here/kernel
"${CC:-cc}" -std=gnu11 -O1 -Wall -Wextra -o "$work/ask" "$here/linux/ask.c" "$kernel/script.c" "$kernel/console.c" \
    "$kernel/events.c" "$kernel/memory.c" "$kernel/grants.c" -lxencall || exit 1
mkdir -p "$work/files/scripts"
for seed in $seeds; do
    "$xenrig" hypercalls --generate "$seed" --length 20000 2>/dev/null | awk -f "$here/linux/common-part.awk" \
        >"$work/files/scripts/seed-$seed" || exit 1
done
"$here/make-initrd.sh" "$folder" "$work/dom0" dom0 "$here/linux/xencall-dom0" "$work/ask" || exit 1
(cd "$work/files" && find scripts | cpio -o -H newc --quiet -R 0:0) >>"$work/dom0"
"$here/boot-linux.sh" "$folder" "$work/dom0" >"$work/said" & qemu=$!
wait $qemu
grep -q '^@@DONE rc=0' "$work/said" || { tail -n 5 "$work/said"; exit 1; }

failures=0 lines=0
for seed in $seeds; do
    awk "/^@@SCRIPT/ { inside = (\$2 == \"seed-$seed\") } inside && /^[0-9]/" "$work/said" |
        awk -f "$here/linux/same-ports.awk" >"$work/linux"
    "$xenrig" hypercalls "$work/files/scripts/seed-$seed" 2>/dev/null | awk -f "$here/linux/same-ports.awk" >"$work/ours"
    answers=$(wc -l <"$work/linux")
    lines=$((lines + answers))
    if [ "$answers" -eq 0 ] || ! diff "$work/ours" "$work/linux" >"$work/diff"; then
        echo "FAILED seed $seed: $answers answers; < is the simulator, > is Xen:"; head -n 20 "$work/diff"
        failures=$((failures + 1))
    fi
done
echo "$lines operations of a Linux dom0 compared with the simulator, $failures scripts differ"
[ "$lines" -gt 0 ] && [ "$failures" -eq 0 ]
