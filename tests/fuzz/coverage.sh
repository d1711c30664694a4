#!/bin/bash
# Which lines and branches of the block driver and of xenbus, or of the hypervisor, inputs reach, by file, from gcov.
# usage: coverage.sh TARGET FOLDER...     TARGET: blkback, blkfront or hypercall; FOLDERs with inputs, the named seeds come by themselves
set -euo pipefail
[[ $# -ge 1 ]] || { sed -n 2,3p "$0" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
target=$1 build=$root/build/coverage
case $target in
    blkback) folders=(src/drivers/blk src/xenbus) others='blkfront|granted_pages|frontend' ;;
    blkfront) folders=(src/drivers/blk src/xenbus) others='blkback|abi_ring|command|segment_pages|transport|validate|backend' ;;
    # What is no part of what is attacked.
    hypercall) folders=(sim/hypervisor) others='arena|audit|bindings|machine_memory' ;;
    *) sed -n 2,3p "$0" >&2; exit 2 ;;
esac
cmake --preset release -S "$root" -B "$build" -DXENRIG_COVERAGE=ON ${XENRIG_CMAKE_ARGS-} >/dev/null
cmake --build "$build" --target play_corpus >/dev/null
find "$build" -name '*.gcda' -delete
"$build/tests/fuzz/play_corpus" "$target" "$root/fixtures/fuzz/$target" "${@:2}"
cd "$build"
printf '%-34s %8s %7s %8s %7s\n' file lines '' branches ''
for counts in $(find "${folders[@]}" -name '*.gcda' | sort); do
    gcov -b -n "$counts" 2>/dev/null
done | awk -v others="$others|sim_disk|sparse_bytes|storage|ram_disk|file_disk" '
    /^File / { file = $2; gsub(/\x27/, "", file); wanted = file ~ /(src\/(drivers\/blk|xenbus)|sim\/hypervisor)\/[a-z_]*\.cpp$/ && file !~ others; sub(/.*\/(src|sim)\//, "", file); sub(/^(src|sim)\//, "", file) }
    # The last "Lines executed" of each is of all its files together.
    wanted == 1 && /^Lines executed/ { wanted = 2; split($2, p, /[:%]/); n = $4; lines[file] += n; hit[file] += p[2] * n / 100 }
    wanted == 2 && /^Taken at least once/ { wanted = 0; split($4, p, /[:%]/); n = $6; branches[file] += n; taken[file] += p[2] * n / 100 }
    END {
        for (f in lines) {
            printf "%-34s %8d %6.1f%% %8d %6.1f%%\n", f, lines[f], 100 * hit[f] / lines[f], branches[f], branches[f] ? 100 * taken[f] / branches[f] : 100 | "sort"
            all += lines[f]; all_hit += hit[f]; br += branches[f]; br_taken += taken[f]
        }
        close("sort")
        printf "%-34s %8d %6.1f%% %8d %6.1f%%\n", "all", all, 100 * all_hit / all, br, 100 * br_taken / br
    }'
