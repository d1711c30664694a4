#!/bin/sh
# What `xenrig backend` says when it can't: bad_input.sh XENRIG. No Xen is needed; where one runs, nothing is attached.
xenrig=$1 failures=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
truncate -s 1M "$dir/disk"
truncate -s 1000 "$dir/odd"
refused() { # refused WORDS ARGUMENTS: exit code 2, and these words in the message
    words=$1; shift
    said=$("$xenrig" backend "$@" 2>&1); code=$?
    case $code,$said in
        2,*"$words"*) echo "ok: $words" ;;
        *) echo "FAILED: wanted '$words' and exit code 2, got $code: $said"; failures=$((failures + 1)) ;;
    esac
}
refused "none: can't open the disk image: No such file" --disk "$dir/none" --domid 32000
refused "a multiple of 512 bytes" --disk "$dir/odd" --domid 32000
refused "neither a file nor a block device" --disk /dev/null --domid 32000
refused "--vdev" --disk "$dir/disk" --domid 32000 --vdev floppy
refused "qemu-img convert -O raw" --disk "$dir/disk" --domid 32000 --format qcow2
refused "knows no 'speed', but all, none, flush" --disk "$dir/disk" --domid 32000 --features flush,speed
refused "--domid" --disk "$dir/disk"
refused "--domid" --disk "$dir/disk" --domid 0
if [ -e /dev/xen/gntdev ]; then
    refused "" --disk "$dir/disk" --domid 32000
else
    refused "no /dev/xen/gntdev: is this a dom0, or a driver domain, of a running Xen? If so: modprobe xen-gntdev" \
        --disk "$dir/disk" --domid 32000
fi
exit $failures
