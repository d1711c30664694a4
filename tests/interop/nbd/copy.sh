#!/bin/bash
# A file system made of a real directory tree is read and written through the rings.
. "$(dirname "$0")/lib.sh"

source_tree tree.img 32M
serve tree.img
well "the disk's size is the image's" test "$(nbdinfo --size "$uri")" = "$(stat -c %s tree.img)"
well "nbdcopy reads the image" nbdcopy "$uri" copy.img
well "what was read is the image" cmp tree.img copy.img
well "eight connections with many requests read the same" nbdcopy --connections=8 --requests=64 "$uri" again.img
well "and it is the image" cmp tree.img again.img
stop

# Requests larger than one of the ring's, and with 1,280 pages of which a request holds eleven.
well "it went over the ring" awk '/ring requests/ { exit !($2 > 700) }' log
# 32 requests of eleven pages may be under way; their grants are used again and again.
well "and through grants" awk '/ring requests/ { for (i = 1; i < NF; i++) if ($(i + 1) == "grant" && $i >= 300) exit 0; exit 1 }' log

truncate -s 32M written.img
serve written.img
well "nbdcopy writes the image" nbdcopy --flush tree.img "$uri"
stop
well "what was written is the image" cmp tree.img written.img
well "e2fsck finds it clean" e2fsck -fn written.img


truncate -s 32M seeded.img
serve seeded.img --seed 7
well "a world with a seed is written to" nbdcopy --flush tree.img "$uri"
well "and read" nbdcopy "$uri" seeded-copy.img
stop
well "the same comes back" cmp tree.img seeded-copy.img
well "the same is in the image" cmp tree.img seeded.img
finish
