#!/bin/sh
# What real Xen answers to a script: ask-xen.sh FOLDER SCRIPT [KIND], with FOLDER/xen (fetch-xen.sh); KIND is who asks:
# dom0 (unless told), dom0-32, domu, domu-32, pvh or pvh-32. Makes FOLDER/KIND.elf where it isn't (build-kernel.sh).
# Prints from @@START to @@DONE, or to @@FAULT where the domain was ended by Xen. Fails when neither was reached.
# XENRIG_XEN_OPTIONS: more of Xen's command line, as guest_loglvl=all.
set -e
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 script=$2 kind=${3:-dom0}
work=$(mktemp -d)
trap 'kill $qemu 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
kernel() { # kernel KIND: its file, made once; whole before it has its name
    [ -s "$folder/$1.elf" ] || { "$here/build-kernel.sh" "$work/$1.elf" "$1" && mv "$work/$1.elf" "$folder/$1.elf"; }
    cp "$folder/$1.elf" "$2"
}
cp "$folder/xen" "$work"
case $kind in
    dom0*)
        kernel "$kind" "$work/kernel"
        cp "$script" "$work/script"
        ;;
    *) # dom0 builds the domain that asks: the domain's kernel lies before the script.
        kernel dom0 "$work/kernel"
        kernel "$kind" "$work/guest"
        case $kind in pvh*) type=pvh ;; *) type=pv ;; esac
        case $kind in *-32) bits=32 ;; *) bits=64 ;; esac
        { echo "@@KERNEL $type$bits $(wc -c <"$work/guest")"; cat "$work/guest" "$script"; } >"$work/script"
        ;;
esac
cd "$work"
# A CPU that QEMU emulates the same everywhere; a shutdown ends QEMU. It dies with us, however we die.
setpriv --pdeathsig TERM timeout "${XENRIG_QEMU_SECONDS:-60}" qemu-system-x86_64 -accel tcg -m 256 -smp 1 -cpu qemu64,+npt \
    -nodefaults -display none -no-reboot -monitor none -serial file:console -kernel xen \
    -append "console=com1 com1=115200,8n1 dom0_mem=64M,max:64M ${XENRIG_XEN_OPTIONS-}" -initrd "kernel,script" </dev/null >qemu.log 2>&1 & qemu=$!
wait $qemu || true
tr -d '\r' <console | sed -n '/^@@START/,/^@@\(DONE\|FAULT the domain ended\)/p' | grep -v '^(XEN)' >answers || true
grep -q '^@@\(DONE\|FAULT\)' answers || { echo "Xen did not come to the end; its console:" >&2; tail -n 20 console qemu.log >&2; exit 1; }
cat answers
