#!/bin/sh
# Xen 4.17 with 32-bit PV guests, which Debian leaves out: build-xen.sh FOLDER. Leaves FOLDER/xen-pv32, for compare.sh by
# XENRIG_XEN_PV32. Debian's source; needs deb-src in apt's sources, gcc, make, flex, bison, python3, and some minutes.
#
# It takes what apt has of the source, which may be older than the package that fetch-xen.sh has.
set -e
mkdir -p "$1"
cd "$1"
[ ! -s xen-pv32 ] || exit 0
for tool in apt-get make gcc flex bison python3; do
    command -v $tool >/dev/null || { echo "$tool is missing; apt install build-essential flex bison python3" >&2; exit 1; }
done
work=$(mktemp -d ./build.XXXXXX)
trap 'rm -rf "$work"' EXIT
(
    cd "$work"
    apt-get --download-only source xen >apt.log 2>&1 ||
        { tail -n 3 apt.log >&2; echo "add 'deb-src' to apt's sources, then: apt update" >&2; exit 1; }
    tar xf xen_*.orig.tar.xz
    cd xen-*/
    make -C xen defconfig
    sed -i 's/# CONFIG_PV32 is not set/CONFIG_PV32=y/; s/^CONFIG_DEBUG=y/# CONFIG_DEBUG is not set/' xen/.config
    make -C xen olddefconfig
    make -C xen "-j$(nproc)"
) >"$work.log" 2>&1 || { tail -n 20 "$work.log" >&2; exit 1; }
gunzip -c "$work"/xen-*/xen/xen.gz >unpacked
mv unpacked xen-pv32
rm -f "$work.log"
