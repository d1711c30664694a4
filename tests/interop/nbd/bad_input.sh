#!/bin/bash
# What can be wrong before anything is served: each is said with the file's name, and with what to do.
. "$(dirname "$0")/lib.sh"

refused() {  # NAME WORD COMMAND: exit code 2, and the word in what it says
    local name=$1 word=$2
    shift 2
    "$@" >out 2>&1
    expect "$name: exit code" 2 $?
    expect_word "$name: the message" "$word" out
}

truncate -s 1M disk.img
truncate -s 1000 odd.img
: >empty.img
mkdir folder.img
refused "a missing image" "none.img: can't open the disk image: No such file" "$xenrig" serve --disk none.img --nbd s
refused "a folder" "folder.img" "$xenrig" serve --disk folder.img --nbd s
refused "a folder, read-only" "folder.img: neither" "$xenrig" serve --disk folder.img --nbd s --read-only
refused "an image that was cut" "odd.img: 1000 bytes are no disk" "$xenrig" serve --disk odd.img --nbd s
refused "an empty image" "empty.img: 0 bytes are no disk" "$xenrig" serve --disk empty.img --nbd s
refused "no socket given" "--nbd" "$xenrig" serve --disk disk.img
refused "no image given" "--disk" "$xenrig" serve --nbd s
refused "a socket in no folder" "none/s: there is no folder" "$xenrig" serve --disk disk.img --nbd none/s
refused "a socket where a file is" "odd.img: is there already" "$xenrig" serve --disk disk.img --nbd odd.img
long=$(printf 'x%.0s' $(seq 120))
refused "a socket with a long name" "too long for a unix socket" "$xenrig" serve --disk disk.img --nbd "$long"
refused "a recording in no folder" "none/r: there is no folder" \
    "$xenrig" serve --disk disk.img --nbd s --record none/r
refused "a recording over the image" "is the disk image" \
    "$xenrig" serve --disk disk.img --nbd s --record ./disk.img
well "which is as it was" test "$(stat -c %s disk.img)" = 1048576
refused "no nbdkit" "apt install nbdkit" env PATH="$dir" "$xenrig" serve --disk disk.img --nbd s
refused "a recording that is none" "odd.img: not a recording" "$xenrig" serve --disk disk.img --replay odd.img
refused "a recording that is missing" "none.rec" "$xenrig" serve --disk disk.img --replay none.rec

serve disk.img
refused "a socket in use" "another server listens here" "$xenrig" serve --disk disk.img --nbd socket
well "its server does not mind" nbdinfo "$uri"
stop

head -c 1M /dev/zero | tr '\0' x >other.bin
cp disk.img before.img
serve disk.img --read-only
well "a read-only disk says so" nbdinfo --is read-only "$uri"
well "it is read" nbdcopy "$uri" copy.img
fails "it is not written" nbdcopy other.bin "$uri"
stop
well "a read-only image does not change" cmp before.img disk.img
finish
