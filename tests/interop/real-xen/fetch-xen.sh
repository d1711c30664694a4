#!/bin/sh
# Unpacks Debian 12's Xen 4.17 into a folder, installing nothing: fetch-xen.sh FOLDER. Leaves FOLDER/xen, which QEMU boots.
set -e
mkdir -p "$1"
cd "$1"
[ ! -s xen ] || exit 0
for tool in apt-get dpkg gunzip; do
    command -v $tool >/dev/null || { echo "$tool is missing: this is no Debian" >&2; exit 1; }
done
work=$(mktemp -d ./fetch.XXXXXX)
trap 'rm -rf "$PWD/$work"' EXIT
(
    cd "$work"
    # apt's download user may not write here: it says so and goes on as we are.
    apt-get download xen-hypervisor-4.17-amd64 >apt.log 2>&1 || { tail -n 3 apt.log >&2; exit 1; }
    dpkg -x xen-hypervisor-*.deb root
    gunzip -c root/boot/xen-4.17-amd64.gz >unpacked
)
mv "$work/unpacked" xen
