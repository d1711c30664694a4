#!/bin/sh
# What real Xen answers to a script: ask-xen.sh FOLDER SCRIPT, with FOLDER/xen (fetch-xen.sh) and FOLDER/kernel.elf
# (build-kernel.sh). Prints from @@START to @@DONE. Fails when Xen or the kernel did not come to the end.
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
cp "$1/xen" "$1/kernel.elf" "$work"
cp "$2" "$work/script"
cd "$work"
# A CPU that QEMU emulates the same everywhere; a shutdown ends QEMU.
timeout "${XENRIG_QEMU_SECONDS:-60}" qemu-system-x86_64 -accel tcg -m 256 -smp 1 -cpu qemu64 -nodefaults -display none \
    -no-reboot -monitor none -serial file:console -kernel xen -append "console=com1 com1=115200,8n1 dom0_mem=64M,max:64M" \
    -initrd "kernel.elf,script" </dev/null >qemu.log 2>&1 || true
tr -d '\r' <console | sed -n '/^@@START/,/^@@DONE/p' | grep -v '^(XEN)' >answers || true
grep -q '^@@DONE' answers || { echo "Xen did not come to the end; its console:" >&2; tail -n 20 console qemu.log >&2; exit 1; }
cat answers
