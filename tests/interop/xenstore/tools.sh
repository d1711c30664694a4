#!/bin/sh
# Debian's xenstore-utils against our socket: tools.sh SERVE_STORE. Exit code 77: the tools are not there.
set -u
serve=$1
for tool in ls read write list exists rm chmod watch; do
    command -v xenstore-$tool >/dev/null || { echo "skipped: xenstore-$tool is missing; apt install xenstore-utils"; exit 77; }
done

dir=$(mktemp -d)
"$serve" "$dir/socket" & server=$!
trap 'kill $server 2>/dev/null; wait $server; rm -rf "$dir"' EXIT
while [ ! -S "$dir/socket" ]; do kill -0 $server || exit 1; done
export XENSTORED_PATH=$dir/socket

failures=0
expect() {  # NAME WANTED GOT
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: wanted '$2', got '$3'"
        failures=$((failures + 1))
    fi
}

xenstore-write /vm/name guest /vm/uuid 1234
expect "what was written is read" "guest" "$(xenstore-read /vm/name)"
expect "several paths are read at once" "guest
1234" "$(xenstore-read /vm/name /vm/uuid)"
expect "children are listed in the order of creation" "name
uuid" "$(xenstore-list /vm)"
expect "the tree is shown" 'name = "guest"
uuid = "1234"' "$(xenstore-ls /vm)"
expect "the tree is shown with full paths and permissions" '/vm/name = "guest"   (n0)
/vm/uuid = "1234"   (n0)' "$(xenstore-ls -f -p /vm)"
xenstore-exists /vm/name; expect "a node exists" 0 $?
xenstore-exists /vm/none; expect "a node does not exist" 1 $?
xenstore-chmod /vm/name n0 r0
expect "permissions are set" '/vm/name = "guest"   (n0,r0)' "$(xenstore-ls -f -p /vm | head -n 1)"
expect "a relative path is below dom0's home" "1" "$(xenstore-write device/x 1; xenstore-read /local/domain/0/device/x)"
expect "an empty value is a value" "" "$(xenstore-write /vm/empty ''; xenstore-read /vm/empty)"
xenstore-rm /vm/uuid
expect "a removed node is gone" "name
empty" "$(xenstore-list /vm)"
xenstore-read /vm/uuid 2>/dev/null; expect "reading a missing node fails" 1 $?

# The tool registers, reports the first event, and then one for each change: three lines, and it ends.
xenstore-watch -n 3 /vm/watched >"$dir/events" & watcher=$!
while [ ! -s "$dir/events" ]; do kill -0 $watcher || exit 1; done
xenstore-write /vm/watched/a 1
while [ "$(wc -l <"$dir/events")" -lt 2 ]; do kill -0 $watcher || exit 1; done
xenstore-write /vm/watched/b 1
wait $watcher
expect "a watch reports its first event and each change" "/vm/watched
/vm/watched/a
/vm/watched/b" "$(cat "$dir/events")"

if command -v xenstore-control >/dev/null; then
    expect "xenstore-control shows quotas" "nodes" "$(xenstore-control quota | sed -n '2s/ .*//p')"
fi

for test in /usr/lib/xen-*/bin/test-xenstore; do
    [ -x "$test" ] || continue
    "$test" >"$dir/test-xenstore" 2>&1
    expect "test-xenstore succeeds" 0 $?
done

i=0
while [ $i -lt 1500 ]; do echo "/many/a-name-that-takes-room-$i"; i=$((i + 1)); done >"$dir/paths"
xargs -n 300 sh -c 'for p; do set -- "$@" "$p" v; shift; done; xenstore-write "$@"' sh <"$dir/paths"
expect "a directory longer than a message is listed in parts" 1500 "$(xenstore-list /many | wc -l)"

exit $failures
