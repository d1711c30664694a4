#!/bin/bash
# Which edges of the block driver and of xenbus inputs reach, by file, in the preset `fuzz`.
# usage: coverage.sh TARGET FOLDER...     TARGET: blkback or blkfront; FOLDERs with inputs, the named seeds come by themselves
# MISSED=1 in the environment lists the lines whose edges were not reached instead.
set -euo pipefail
[[ $# -ge 1 ]] || { sed -n 3,4p "$0" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
target=$1 build=$root/build/fuzz
case $target in
    blkback) others='blkfront|granted_pages|frontend' ;;
    blkfront) others='blkback|abi_ring|segment_pages|transport|validate|backend' ;;
    *) sed -n 3,4p "$0" >&2; exit 2 ;;
esac
cmake --preset fuzz -S "$root" -B "$build" ${XENRIG_CMAKE_ARGS-} >/dev/null
cmake --build "$build" --target edge_coverage >/dev/null
program=$build/tests/fuzz/edge_coverage
edges=$(mktemp)
trap 'rm -f "$edges"' EXIT
"$program" "$target" "$root/fixtures/fuzz/$target" "${@:2}" >"$edges"
cut -d' ' -f1 "$edges" | addr2line -e "$program" | paste -d' ' <(cut -d' ' -f2 "$edges") - |
    sed -E 's/ \(discriminator [0-9]+\)//' | awk -v others="$others|sim_disk|sparse_bytes|storage|ram_disk|file_disk" -v missed="${MISSED-}" '
    {
        split($2, at, ":"); file = at[1]
        if (file !~ /src\/(drivers\/blk|xenbus)\/[a-z_]*\.(cpp|h)$/ || file ~ others) next
        sub(/.*src\//, "", file)
        edges[file]++; hit[file] += $1
        if (missed && !$1) print file ":" at[2]
    }
    END {
        if (missed) exit
        for (f in edges) {
            printf "%-34s %6d %6.1f%%\n", f, edges[f], 100 * hit[f] / edges[f] | "sort"
            all += edges[f]; all_hit += hit[f]
        }
        close("sort")
        printf "%-34s %6d %6.1f%%\n", "all", all, 100 * all_hit / all
    }'
