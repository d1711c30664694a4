#!/bin/sh
# Every call of libxenstore against `xenrig xenstored`: every_call.sh XENRIG c|o PROGRAM. The lines are those that the
# same program brought from the real daemon. XENRIG_REAL_XENSTORED names a folder whose start.sh starts one (docs:
# xenstore-speed.md): then it is asked anew.
folder=$(dirname "$0")
. "$folder/lib.sh"
recorded=$folder/every_call.$personality.txt

# libxenstore 4.17 forgets the events that XS_UNWATCH_FILTER drops; that leak is not ours.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 "$3" >"$dir/lines" 2>&1
expect "every call succeeds or fails as it should" 0 $?
diff "$recorded" "$dir/lines"
expect "and brings what the real daemon brought" 0 $?

if [ -n "${XENRIG_REAL_XENSTORED:-}" ]; then
    env -u XENSTORED_PATH "$XENRIG_REAL_XENSTORED/start.sh" "$personality" "$dir/real"
    expect "the real daemon starts" 0 $?
    XENSTORED_PATH=$dir/real/socket "$3" >"$dir/real.lines" 2>&1
    kill "$(cat "$dir/real/pid")"
    diff "$recorded" "$dir/real.lines"
    expect "the real daemon brings it still" 0 $?
fi

finish
