#!/bin/sh
# xenstore-control and Xen's own test-xenstore, of Debian's xen-utils-4.17, against `xenrig xenstored`:
# xen_utils.sh XENRIG c|o. XENRIG_XEN_UTILS names a folder into which the package was unpacked. Exit code 77: not there.
bin=${XENRIG_XEN_UTILS:-}/usr/lib/xen-4.17/bin
for tool in xenstore-control test-xenstore; do
    [ -x "$bin/$tool" ] || {
        echo "skipped: no $bin/$tool: apt-get download xen-utils-4.17 && dpkg-deb -x xen-utils-4.17_*.deb DIR," \
            "then set XENRIG_XEN_UTILS=DIR"
        exit 77
    }
done
"$bin/xenstore-control" 2>&1 | grep -q "shared libraries" && {
    echo "skipped: xenstore-control finds not all of its libraries; apt install libxen-dev"
    exit 77
}
. "$(dirname "$0")/lib.sh"

control() { "$bin/xenstore-control" "$@"; }

expect "the store is checked" OK "$(control check)"
if [ "$personality" = c ]; then
    expect "quotas are shown" "watches          :      128 Watches per domain" "$(control quota | grep watches)"
    expect "one is set" OK "$(control quota set watches 77)"
    expect "and shown" "watches          :       77 Watches per domain" "$(control quota | grep watches)"
    expect "and what a domain uses of them" "Domain 0:" "$(control quota 0 | head -n 1)"
    expect "an unknown command is answered with those there are" "check" "$(control nonsense 2>&1 | sed -n "2s| *$||p")"
    expect "quotas are set back" OK "$(control quota set watches 128)"
else
    expect "the quota of a domain is shown" "dom0 quota: 5/1000" "$(control quota 0)"
    expect "an unknown command is taken" OK "$(control nonsense)"
fi

# Its own random tests of transactions and of all requests; it says nothing of a success but the times.
"$bin/test-xenstore" >"$dir/test-xenstore" 2>&1
expect "test-xenstore succeeds" 0 $?
expect "and has run all its tests" 12 "$(grep -c ' ns$' "$dir/test-xenstore")"

finish
