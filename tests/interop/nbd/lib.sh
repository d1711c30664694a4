# What the tests of `xenrig serve` have in common. A test says `. lib.sh` with the program as its first argument, then
# serve, copy and expect as it likes; at its end it says `finish`.
#
# Nothing waits by the clock: a server is up when it answers, and a poll ends when the server does.
set -u
xenrig=$1
. "$(dirname "$0")/../expect.sh"
server=

for tool in nbdkit:nbdkit nbdcopy:libnbd-bin nbdinfo:libnbd-bin mke2fs:e2fsprogs e2fsck:e2fsprogs; do
    command -v "${tool%:*}" >/dev/null || PATH=$PATH:/usr/sbin:/sbin
    command -v "${tool%:*}" >/dev/null || { echo "skipped: ${tool%:*} is missing; apt install ${tool#*:}"; exit 77; }
done
[ -e "$(dirname "$xenrig")/nbdkit-xenrig-plugin.so" ] ||
    { echo "skipped: xenrig was built without nbdkit's header; apt install nbdkit-plugin-dev"; exit 77; }

dir=$(mktemp -d)
trap 'kill -9 $server 2>/dev/null; wait; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
uri="nbd+unix:///?socket=$dir/socket"

source_tree() {  # an image of a real directory tree
    mke2fs -q -t ext4 -d "$XENRIG_SOURCE_DIR/src" "$1" "$2" >/dev/null 2>&1 || { echo "mke2fs failed"; exit 1; }
}

serve() {  # IMAGE [OPTIONS]: returns when it answers
    "$xenrig" serve --disk "$1" --nbd socket "${@:2}" >>log 2>&1 &
    server=$!
    until nbdinfo --size "$uri" >/dev/null 2>&1; do
        kill -0 $server 2>/dev/null || { echo "FAILED: the server did not start:"; cat log; exit 1; }
    done
}

stop() {
    kill "$server"
    wait "$server"
    expect "the server ends in order" 0 $?
    server=
}

expect_word() {  # NAME WORD FILE
    if grep -qF -- "$2" "$3"; then
        echo "ok: $1"
    else
        echo "FAILED: $1: '$2' is not in:"
        cat "$3"
        failures=$((failures + 1))
    fi
}

well() {  # NAME COMMAND: it succeeds
    local name=$1
    shift
    "$@" >out 2>&1 && { echo "ok: $name"; return; }
    echo "FAILED: $name: $*"
    cat out
    failures=$((failures + 1))
}

fails() {  # NAME COMMAND: it does not; what it says is in ./out
    local name=$1
    shift
    "$@" >out 2>&1 || { echo "ok: $name"; return; }
    echo "FAILED: $name: succeeded: $*"
    failures=$((failures + 1))
}

finish() {
    [ $failures = 0 ] || { echo "the server said:"; cat log; }
    exit $failures
}
