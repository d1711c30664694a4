#!/bin/sh
# Builds the bare kernel: build-kernel.sh OUTPUT [KIND]. KIND is dom0 (unless told), dom0-32, domu, domu-32, pvh or
# pvh-32. Needs a C compiler and libxen-dev.
set -e
out=$1 kind=${2:-dom0}
parts="kernel.c hypercall.c console.c script.c events.c memory.c grants.c entries.c fifo.c"
case $kind in
    dom0) set -- -m64 -DXENRIG_DOM0 start-pv.S pv.c domain.c domctl.c domain_pv.c domain_pvh.c ;;
    domu) set -- -m64 start-pv.S pv.c ;;
    dom0-32 | domu-32) set -- -m32 -Wl,-m,elf_i386 start-pv.S pv.c ;;
    pvh) set -- -m64 start-pvh.S pvh.c ;;
    pvh-32) set -- -m32 -Wl,-m,elf_i386 start-pvh.S pvh.c ;;
    *) echo "no such kernel: $kind" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/kernel"
# shellcheck disable=SC2086
exec "${CC:-cc}" -std=gnu11 -O1 -Wall -Wextra -ffreestanding -fno-pic -no-pie -fno-stack-protector -fcf-protection=none \
    -mno-sse -mno-red-zone -fno-asynchronous-unwind-tables -nostdlib -Wl,--build-id=none \
    -Wl,-T,kernel.ld -Wl,--no-warn-rwx-segments -Wl,-z,noexecstack \
    -o "$out" "$@" $parts
