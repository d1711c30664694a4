#!/bin/sh
# Builds the bare PV kernel: build-kernel.sh OUTPUT. Needs a C compiler and libxen-dev.
set -e
out=$1
cd "$(dirname "$0")"
exec "${CC:-cc}" -std=gnu11 -O1 -Wall -Wextra -ffreestanding -fno-pic -no-pie -fno-stack-protector -fcf-protection=none \
    -mno-sse -mno-red-zone -mcmodel=small -fno-asynchronous-unwind-tables -nostdlib -Wl,--build-id=none \
    -Wl,-T,kernel.ld -Wl,--no-warn-rwx-segments -Wl,-z,noexecstack \
    -o "$out" start.S kernel.c hypercall.c console.c script.c events.c memory.c grants.c
