#!/bin/sh
# From an empty folder, against an installation in a temporary one: a subject in C and a test in C++ are built and run,
# and the installed command works with what is installed and nothing else.
# usage: consumer.sh BUILD_FOLDER CONSUMER_FOLDER C_COMPILER CXX_COMPILER
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --prefix "$work/usr" > "$work/install.log"
cp -r "$2" "$work/mine"

cmake -S "$work/mine" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/usr" -DCMAKE_C_COMPILER="$3" \
    -DCMAKE_CXX_COMPILER="$4" > "$work/configure.log" || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build" -j2 > "$work/build.log" || { cat "$work/build.log"; exit 1; }
ctest --test-dir "$work/build" --output-on-failure

# A scenario that stands beside the installed command and in no source tree.
xenrig=$work/usr/bin/xenrig
cp "$work/usr/share/xenrig/scenarios/blk-ring.toml" "$work/usr/share/xenrig/scenarios/only-here.toml"
cd "$work"
"$xenrig" run blk-ring > run.log
"$xenrig" run only-here --subject build/libmine.so >> run.log || { cat run.log; exit 1; }
"$xenrig" conformance --protocol xenbus > own.log || { cat own.log; exit 1; }
"$xenrig" conformance --subject build/libmine.so > subject.log || { cat subject.log; exit 1; }
tail -1 subject.log
"$xenrig" conformance --subject nowhere.so 2> refused.log && exit 1
grep -q 'there is no such file' refused.log
