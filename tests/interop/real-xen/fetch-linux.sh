#!/bin/sh
# Unpacks Debian 12's Linux and Xen's tools for it into a folder, installing nothing: fetch-linux.sh FOLDER. Leaves
# FOLDER/vmlinux, for dom0 and PV guests alike, and FOLDER/root with the tools and modules. 73 MB to download.
set -e
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
[ ! -s vmlinux ] || exit 0
for tool in apt-get apt-cache dpkg python3; do
    command -v $tool >/dev/null || { echo "$tool is missing: this is no Debian" >&2; exit 1; }
done
# The cloud flavour has no dom0 in it.
version=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-//p' | head -n 1)
[ -n "$version" ] || { echo "apt knows no linux-image-amd64: apt update" >&2; exit 1; }
work=$(mktemp -d ./fetch.XXXXXX)
trap 'rm -rf "$PWD/$work"' EXIT
(
    cd "$work"
    # apt's download user may not write here: it says so and goes on as we are.
    apt-get download "linux-image-$version" xen-utils-4.17 busybox-static libyajl2 >apt.log 2>&1 ||
        { tail -n 3 apt.log >&2; exit 1; }
    for package in *.deb; do dpkg -x "$package" root; done
    # Of the modules, the few that are used: they are loaded in this order, by name.
    mkdir root/modules
    for module in $(cut -d" " -f1 "$here/linux/modules"); do
        find root/lib/modules -name "$module.ko" -exec cp {} root/modules/ \;
        [ -e "root/modules/$module.ko" ] || { echo "linux-image-$version has no $module.ko" >&2; exit 1; }
    done
    # Unpacked here, or Xen spends seconds of an emulated processor on it.
    python3 "$here/unpack-kernel.py" "root/boot/vmlinuz-$version" vmlinux
    rm -rf root/lib/modules root/boot root/usr/share
)
rm -rf root
mv "$work/root" root
mv "$work/vmlinux" vmlinux
