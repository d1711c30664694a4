#!/bin/sh
# An initial file system: make-initrd.sh FOLDER OUTPUT ROLE SCRIPT [PROGRAM...]. FOLDER is fetch-linux.sh's; SCRIPT
# becomes /ROLE, dom0 or guest. Each PROGRAM is put into /bin with the libraries that it needs, this machine's or the
# packages'. Not compressed: what is quick to copy takes an emulated processor seconds to unpack.
set -e
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 output=$2 role=$3 script=$4
shift 4
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/lib64" "$root/lib/x86_64-linux-gnu" "$root/usr/lib/xen-4.17/bin" "$root/modules"
cp "$folder/root/bin/busybox" "$root/bin/"
cp "$folder"/root/modules/*.ko "$root/modules/"
cp "$here/linux/modules" "$root/modules/order"
cp "$here/linux/init" "$root/init"
cp "$script" "$root/$role"
chmod +x "$root/init"
cp "$@" "$root/bin/"
if [ "$role" = dom0 ]; then
    for tool in xl xenstored xenconsoled xen-init-dom0 libxl-save-helper; do
        cp "$folder/root/usr/lib/xen-4.17/bin/$tool" "$root/usr/lib/xen-4.17/bin/"
    done
    cp "$here/linux/dom0-lib.sh" "$here/linux/guest.cfg" "$root/"
fi

needed() { objdump -p "$@" 2>/dev/null | awk '/NEEDED/ { print $2 }' | sort -u; }
# Loaded by name when a thread is cancelled, as libxenstore does.
wanted="$(needed "$root"/bin/* "$root"/usr/lib/xen-4.17/bin/*) libgcc_s.so.1"
while [ -n "$wanted" ]; do
    found=
    for library in $wanted; do
        [ ! -e "$root/lib/x86_64-linux-gnu/$library" ] || continue
        for place in /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu "$folder"/root/usr/lib/x86_64-linux-gnu \
            "$folder"/root/usr/lib/xen-4.17/lib/x86_64-linux-gnu /lib64; do
            [ ! -e "$place/$library" ] || { cp -L "$place/$library" "$root/lib/x86_64-linux-gnu/"; break; }
        done
        [ -e "$root/lib/x86_64-linux-gnu/$library" ] || { echo "there is no $library here" >&2; exit 1; }
        found="$found $root/lib/x86_64-linux-gnu/$library"
    done
    # shellcheck disable=SC2086
    wanted=$([ -z "$found" ] || needed $found)
done
mv "$root"/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$root/lib64/"
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) >"$output"
