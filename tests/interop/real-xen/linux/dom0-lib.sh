# What the scripts in dom0 have in common: the store and the toolstack's daemons, guests, and what they are told to do.

failures=0
expect() {  # NAME WANTED GOT
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: wanted '$2', got '$3'"
        failures=$((failures + 1))
    fi
}

# until_true SECONDS COMMAND: false when it was not true in time. The clock is an emulated machine's.
until_true() {
    turns=$(($1 * 5)); shift
    until "$@"; do
        turns=$((turns - 1))
        [ $turns -gt 0 ] || return 1
        usleep 200000
    done
}

start_xen() {
    echo 'autoballoon="off"' >/etc/xen/xl.conf
    xenstored --pid-file /run/xenstored.pid
    until_true 60 xenstore-exists / || { echo "xenstored does not answer"; return 1; }
    xen-init-dom0 >/dev/null
    xenconsoled --log=all --log-dir=/var/log/xen/console
}

# start_guest NAME: sets $domid when its agent answers.
start_guest() {
    sed "s/NAME/$1/" /guest.cfg >/tmp/guest.cfg
    xl create -q /tmp/guest.cfg || return 1
    domid=$(xl domid "$1")
    echo 0 >/tmp/asked
    until_true 200 answered 0 || { echo "guest $1 does not come up:"; tail -n 30 "/var/log/xen/console/guest-$1.log"; return 1; }
}

# answered NUMBER: has the guest answered that one?
answered() { [ "$(xenstore-read "/local/domain/$domid/data/answer" 2>/dev/null | cut -d' ' -f1)" = "$1" ]; }
# The number of what was told last: in a file, for a subshell may tell, too.
asked() { cat /tmp/asked; }

# tell COMMAND: begins it in the guest.
tell() {
    echo $(($(asked) + 1)) >/tmp/asked
    xenstore-write "/local/domain/$domid/data/command" "$(asked) $*"
}
# answer: waits for the end of what was told; prints what it said and returns its exit code.
answer() {
    until_true 200 answered "$(asked)" || { echo "no answer from the guest"; return 99; }
    reply=$(xenstore-read "/local/domain/$domid/data/answer")
    reply=${reply#* }
    echo "${reply#* }"
    return "${reply%% *}"
}
guest() { tell "$@"; answer; }
