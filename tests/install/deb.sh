#!/bin/sh
# The .deb of `cpack -G DEB` holds what an installation does, and a subject is built and checked against it, unpacked in a
# folder where nothing else is.
# usage: deb.sh BUILD_FOLDER CONSUMER_FOLDER C_COMPILER CXX_COMPILER
set -eu
for tool in cpack dpkg-deb dpkg-shlibdeps file; do
    command -v "$tool" > /dev/null || { echo "skipped: there is no $tool"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cpack --config "$1/CPackConfig.cmake" -G DEB -B "$work/package" > "$work/cpack.log" 2>&1 ||
    { cat "$work/cpack.log"; exit 1; }
deb=$(echo "$work"/package/*.deb)
dpkg-deb -x "$deb" "$work/root"

cmake --install "$1" --prefix "$work/installed" > "$work/install.log"
(cd "$work/installed" && find . ! -type d | sort) > "$work/wanted"
(cd "$work/root/usr" && find . ! -type d | sort) > "$work/found"
diff "$work/wanted" "$work/found"
dpkg-deb -f "$deb" Depends | grep -q libxen-dev

cp -r "$2" "$work/mine"
cmake -S "$work/mine" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/root/usr" -DCMAKE_C_COMPILER="$3" \
    -DCMAKE_CXX_COMPILER="$4" > "$work/configure.log" || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build" --target mine > "$work/build.log" || { cat "$work/build.log"; exit 1; }
cd "$work"
"$work/root/usr/bin/xenrig" conformance --protocol xenbus --subject build/libmine.so > said || { cat said; exit 1; }
"$work/root/usr/bin/xenrig" run blk-ring --subject build/libmine.so > said || { cat said; exit 1; }
