#!/bin/bash
# A disk that fills up: the client hears ENOSPC although a response on the ring has no word for it, the log names the
# image, and the server lives on. The image is sparse, and the server may not write beyond its first 4 MiB.
. "$(dirname "$0")/lib.sh"

head -c 16M /dev/zero | tr '\0' x >full.bin
head -c 1M full.bin >small.bin
truncate -s 16M disk.img
serve disk.img
prlimit --pid "$server" --fsize=4194304

well "what has room is written" nbdcopy --flush small.bin "$uri"
# One request at a time: nbdkit 1.32 may fail an assertion of its own when a client leaves several behind.
fails "a copy of 16 MiB does not fit" nbdcopy --synchronous full.bin "$uri"
expect_word "the client hears of the full disk" "No space left on device" out
expect_word "the log names the image" "disk.img: can't write" log
well "the server still serves reads" nbdcopy "$uri" after.img
well "what was there is there" cmp -n 1048576 full.bin after.img
well "and writes where there is room" nbdcopy --flush small.bin "$uri"
stop
well "the image has the server's last word" cmp -n 1048576 small.bin disk.img
finish
