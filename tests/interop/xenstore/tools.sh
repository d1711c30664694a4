#!/bin/sh
# Debian's xenstore-utils against `xenrig xenstored`: tools.sh XENRIG c|o. Exit code 77: the tools are not there.
for tool in ls read write list exists rm chmod watch; do
    command -v xenstore-$tool >/dev/null || { echo "skipped: xenstore-$tool is missing; apt install xenstore-utils"; exit 77; }
done
. "$(dirname "$0")/lib.sh"

expect "the daemon says where it is" "xenrig: $([ "$personality" = c ] || echo o)xenstored is ready; for its clients: export XENSTORED_PATH=$dir/socket" "$ready"
xenstore-write /vm/name guest /vm/uuid 1234
expect "what was written is read" "guest" "$(xenstore-read /vm/name)"
expect "several paths are read at once" "guest
1234" "$(xenstore-read /vm/name /vm/uuid)"
expect "with -p each is read with its path" "/vm/name: guest" "$(xenstore-read -p /vm/name)"
expect "children are listed in the order of creation" "name
uuid" "$(xenstore-list /vm)"
expect "the tree is shown" 'name = "guest"
uuid = "1234"' "$(xenstore-ls /vm)"
expect "the tree is shown with full paths and permissions" '/vm/name = "guest"   (n0)
/vm/uuid = "1234"   (n0)' "$(xenstore-ls -f -p /vm)"
xenstore-exists /vm/name; expect "a node exists" 0 $?
xenstore-exists /vm/none; expect "a node does not exist" 1 $?
xenstore-chmod /vm/name n0 r7
expect "permissions are set" '/vm/name = "guest"   (n0,r7)' "$(xenstore-ls -f -p /vm | head -n 1)"
xenstore-write /vm/deep/er 1
xenstore-chmod -r /vm/deep b0
expect "and below it with -r" '/vm/deep = ""   (b0)
/vm/deep/er = "1"   (b0)' "$(xenstore-ls -f -p /vm | grep deep)"
xenstore-chmod -u /vm/deep/er w0
expect "and above it with -u" '/vm/deep = ""   (w0)' "$(xenstore-ls -f -p /vm | grep 'deep =')"
xenstore-rm /vm/deep
expect "a relative path is below dom0's home" "1" "$(xenstore-write device/x 1; xenstore-read /local/domain/0/device/x)"
expect "an empty value is a value" "" "$(xenstore-write /vm/empty ''; xenstore-read /vm/empty)"
expect "bytes that are no text are kept" '\x01\xff' "$(xenstore-write -R /vm/bytes "$(printf '\001\377')"; xenstore-read -R /vm/bytes | od -An -tx1 | sed 's/ 0a//; s/ /\\x/g')"
xenstore-rm /vm/bytes
xenstore-rm /vm/uuid
# oxenstored puts new children first.
expect "a removed node is gone" "empty name" "$(xenstore-list /vm | sort | xargs)"
expect "reading a missing node says so" "xenstore-read: couldn't read path /vm/uuid" "$(xenstore-read /vm/uuid 2>&1)"
xenstore-write /tidy/a/b 1
xenstore-rm -t /tidy/a/b
xenstore-exists /tidy; expect "with -t the parents that are left empty go, too" 1 $?

# The tool registers, reports the first event, and then one for each change: three lines, and it ends.
mkfifo "$dir/events"
xenstore-watch -n 3 /vm/watched >"$dir/events" & watcher=$!
exec 3<"$dir/events"
read -r first <&3
xenstore-write /vm/watched/a 1
read -r second <&3
xenstore-write /vm/watched/b 1
read -r third <&3
wait $watcher
expect "a watch reports its first event and each change" "/vm/watched /vm/watched/a /vm/watched/b" "$first $second $third"

i=0
while [ $i -lt 1500 ]; do echo "/many/a-name-that-takes-room-$i"; i=$((i + 1)); done >"$dir/paths"
xargs -n 300 sh -c 'for p; do set -- "$@" "$p" v; shift; done; xenstore-write "$@"' sh <"$dir/paths"
if [ "$personality" = c ]; then
    expect "a directory longer than a message is listed in parts" 1500 "$(xenstore-list /many | wc -l)"
    expect "and shown" 1500 "$(xenstore-ls /many | wc -l)"
else
    # oxenstored knows no DIRECTORY_PART.
    expect "a directory longer than a message can't be listed" "xenstore-list: could not list path /many" "$(xenstore-list /many 2>&1 | head -n 1)"
    expect "its nodes can be read" v "$(xenstore-read /many/a-name-that-takes-room-1499)"
fi

finish
