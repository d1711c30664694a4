#!/bin/bash
# Requests that the tools never make: durable writes, odd places and lengths, and one larger than the ring.
. "$(dirname "$0")/lib.sh"
ask=$2

byte_at() { dd if=disk.img bs=1 skip="$1" count=1 2>/dev/null | tr -d '\0'; }  # nothing for a zero

truncate -s 32M disk.img
serve disk.img --record run.rec
well "a durable write is acknowledged" "$ask" "$uri" fua 4096 512 d
kill -9 "$server"
wait "$server" 2>/dev/null
expect "and is in the image when the server is killed at once" d "$(byte_at 4607)"
rm socket

serve disk.img
well "1,000 bytes at byte 777 are written" "$ask" "$uri" write 777 1000 o
well "a flush is acknowledged" "$ask" "$uri" flush
expect "the byte before them stays" "" "$(byte_at 776)"
expect "the first is there" o "$(byte_at 777)"
expect "the last is there" o "$(byte_at 1776)"
expect "the byte behind them stays" "" "$(byte_at 1777)"
well "odd bytes are read" "$ask" "$uri" read 1700 100
expect "and are what was written" "$(printf 'o%.0s' $(seq 77))" "$("$ask" "$uri" read 1700 100 | tr -d '\0')"
well "16 MiB are one request" "$ask" "$uri" write 8388608 16777216 w
expect "all of it is there" 16777216 "$("$ask" "$uri" read 8388608 16777216 | tr -cd w | wc -c)"
fails "what lies beyond the end is refused" "$ask" "$uri" write 33554432 512 x
expect_word "as NBD says it" "No space left on device" out
stop
finish
