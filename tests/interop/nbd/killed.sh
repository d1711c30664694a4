#!/bin/bash
# Clients and servers that are killed: nothing is lost that was acknowledged after a flush.
. "$(dirname "$0")/lib.sh"

source_tree tree.img 32M
truncate -s 32M disk.img
serve disk.img

# A client in the middle of a copy: its source gives 8 MiB and then nothing more, until the client is dead.
mkfifo source
nbdcopy - "$uri" <source & client=$!
exec 3>source
head -c 8M tree.img >&3
until cmp -s -n 4194304 tree.img disk.img; do
    kill -0 "$server" && kill -0 $client || { echo "FAILED: the copy did not get half-way"; exit 1; }
done
kill -9 $client
wait $client 2>/dev/null
exec 3>&-
well "another client is served after one was killed" nbdinfo "$uri"
well "it copies everything" nbdcopy --flush tree.img "$uri"

# The flush is acknowledged. Whatever was only in the server's memory is lost now.
kill -9 "$server"
wait "$server" 2>/dev/null
well "what was flushed is in the image when the server is killed" cmp tree.img disk.img
well "e2fsck finds it clean" e2fsck -fn disk.img

fails "a socket left behind is no place for a server" "$xenrig" serve --disk disk.img --nbd socket
expect_word "the message says what to do" "rm socket" out
rm socket

serve disk.img
well "the image is served again" nbdcopy "$uri" copy.img
well "and reads as before" cmp tree.img copy.img
stop
finish
