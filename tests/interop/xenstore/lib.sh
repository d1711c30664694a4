# What the tests of `xenrig xenstored` have in common. A test says `. lib.sh` with the program and the personality as
# its arguments; at its end it says `finish`.
#
# Nothing waits by the clock: a daemon is up when it has said so, and is never left behind.
set -u
xenrig=$1
personality=$2
. "$(dirname "$0")/../expect.sh"

dir=$(mktemp -d)
mkfifo "$dir/said"
"$xenrig" xenstored --socket "$dir/socket" --personality "$personality" >"$dir/said" & server=$!
trap 'kill -9 $server 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
read -r ready <"$dir/said" || { echo "FAILED: xenrig xenstored did not start"; exit 1; }
export XENSTORED_PATH=$dir/socket

finish() {
    kill $server
    wait $server
    expect "the daemon ends in order" 0 $?
    [ ! -e "$dir/socket" ]; expect "and takes its socket with it" 0 $?
    exit $failures
}
