#!/bin/sh
# Boots Xen with a Linux dom0 under QEMU: boot-linux.sh FOLDER INITRD. FOLDER has xen (fetch-xen.sh) and vmlinux
# (fetch-linux.sh). Prints what dom0 said, to its @@DONE line; fails when it did not come to that.
set -e
work=$(mktemp -d)
trap 'kill $qemu 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
# A CPU that QEMU emulates the same everywhere; a shutdown ends QEMU. It dies with us, however we die.
setpriv --pdeathsig TERM timeout "${XENRIG_QEMU_SECONDS:-400}" qemu-system-x86_64 -accel tcg -m 1400 -smp 1 -cpu qemu64 \
    -nodefaults -display none -no-reboot -monitor none -serial "file:$work/console" -serial "file:$work/said" \
    -kernel "$1/xen" -append "console=com1 com1=115200,8n1 dom0_mem=800M,max:800M" \
    -initrd "$1/vmlinux console=hvc0 quiet,$2" </dev/null >"$work/qemu.log" 2>&1 & qemu=$!
wait $qemu || true
[ ! -e "$work/said" ] || tr -d '\r' <"$work/said"
grep -q '^@@DONE' "$work/said" 2>/dev/null || {
    echo "dom0 did not come to the end; the console:" >&2
    tail -n 20 "$work/console" "$work/qemu.log" >&2
    exit 1
}
