#!/bin/bash
# What came from outside is recorded, and runs again step by step: on a copy of the first image the trace's hash is the
# same, and so is the image that comes of it.
. "$(dirname "$0")/lib.sh"

hash_of() { grep -o 'trace hash [0-9a-f]*' "$1" | tail -n 1; }

record_and_replay() {  # NAME SERVE-OPTIONS
    local name=$1
    shift
    truncate -s 32M disk.img first.img
    rm -f log
    serve disk.img --record run.rec "$@"
    well "$name: written" nbdcopy --flush --connections=4 tree.img "$uri"
    well "$name: read" nbdcopy --connections=4 "$uri" copy.img
    stop
    well "$name: replayed" "$xenrig" serve --disk first.img --replay run.rec
    expect "$name: the same trace" "$(hash_of log)" "$(hash_of out)"
    well "$name: the same image" cmp disk.img first.img
    rm disk.img first.img
}

source_tree tree.img 32M
record_and_replay "mild"
record_and_replay "with a seed" --seed 11

truncate -s 32M first.img
truncate -s 16M small.img
fails "a disk of another size is no copy" "$xenrig" serve --disk small.img --replay run.rec
expect_word "the message names both sizes" "16777216 bytes, and the recorded disk had 33554432" out

head -c 20M run.rec >torn.rec
well "a recording whose server was killed replays as far as it goes" "$xenrig" serve --disk first.img --replay torn.rec
expect_word "and says so" "the recording has no end" out

finish
