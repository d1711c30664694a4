#!/bin/sh
# A subject that crashes or spins fails its run, with a token that leads there again, and the command goes on.
# usage: crash.sh XENRIG SUBJECTS_FOLDER
set -eu
xenrig=$1
subjects=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Its exit code is 1, and its output in the file `said`.
fails() {
    code=0
    "$xenrig" "$@" > said 2> errors || code=$?
    [ "$code" = 1 ] || { echo "'xenrig $*' ended with code $code"; cat said errors; exit 1; }
}
says() { grep -q -- "$1" said || { echo "no '$1' in:"; cat said errors; exit 1; }; }
token() { sed -n 's/^replay: xenrig replay \([^ ]*\) .*/\1/p' said | head -1; }

fails run blk-ring --seed 3 --subject "$subjects/bad_FALL.so"
says '^crash (step [0-9]*): the run died of signal'
says "--subject $subjects/bad_FALL.so"
first=$(sed -n 's/^crash \((step [0-9]*)\).*/\1/p' said)
fails replay "$(token)" --subject "$subjects/bad_FALL.so"
says "^crash $first"

# The others go on, and each is counted.
fails run blk-ring --seeds 7 --subject "$subjects/bad_CRASH.so"
[ "$(grep -c '^crash' said)" = 5 ] || { cat said; exit 1; }
says '^7 seeds of blk-ring: 0 well, 7 failed'

fails run blk-ring --run-seconds 1 --subject "$subjects/bad_SPIN.so"
says '^hang (step [0-9]*): a run took more than 1 seconds of processor time, in the task'
says '^replay: '
