#!/bin/sh
# `xenrig backend` on a real Xen: block.sh XENRIG FOLDER. FOLDER keeps what is downloaded.
#
# Debian's Xen and Linux run under QEMU's emulation; in dom0 our backend serves an unmodified Linux guest, as
# linux/block-dom0 says. Exit code 77, with what to do: it can't be had here.
here=$(cd "$(dirname "$0")" && pwd)
xenrig=$1 folder=$2
skip() { echo "skipped: $*"; exit 77; }
need() { command -v "$1" >/dev/null || skip "$1 is missing; apt install --no-install-recommends $2"; }
need qemu-system-x86_64 qemu-system-x86
need cpio cpio
need objdump binutils
need mke2fs e2fsprogs
need xenstore-ls xenstore-utils
ldd "$xenrig" | grep -q libxengnttab || skip "$xenrig is not linked with Xen's shared libraries; apt install libxen-dev"
{ timeout 60 "$here/fetch-xen.sh" "$folder" && timeout 200 "$here/fetch-linux.sh" "$folder"; } ||
    skip "Debian's Xen and Linux can't be had; apt update, then: $here/fetch-linux.sh $folder"

work=$(mktemp -d)
trap 'kill $qemu 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
mkdir "$work/files"
"$here/make-initrd.sh" "$folder" "$work/files/guest-initrd" guest "$here/linux/guest" \
    "$(command -v xenstore-read)" "$(command -v xenstore-write)" "$(command -v xenstore-watch)" \
    "$(command -v mke2fs)" &&
    "$here/make-initrd.sh" "$folder" "$work/dom0" dom0 "$here/linux/block-dom0" "$xenrig" "$(command -v e2fsck)" \
        "$(command -v xenstore-read)" "$(command -v xenstore-write)" "$(command -v xenstore-ls)" \
        "$(command -v xenstore-exists)" || exit 1
ln "$folder/vmlinux" "$work/files/guest-vmlinux" 2>/dev/null || cp "$folder/vmlinux" "$work/files/guest-vmlinux"
(cd "$work/files" && find . -type f | cpio -o -H newc --quiet -R 0:0) >>"$work/dom0"
rm -rf "$work/files"

"$here/boot-linux.sh" "$folder" "$work/dom0" >"$work/said" & qemu=$!
wait $qemu
booted=$?
cat "$work/said"
passed=$(grep -c '^ok: ' "$work/said")
echo "$passed checks passed on a real Xen"
[ $booted -eq 0 ] && [ "$passed" -gt 0 ] && grep -q '^@@DONE rc=0' "$work/said"
