#!/bin/sh
# `xenrig fuzz` says what there is and what is missing; `xenrig replay` plays the token of an input, and refuses others.
# usage: command.sh XENRIG
set -eu
says() {
    wanted=$1 code=$2
    shift 2
    said=$("$@" 2>&1) && got=0 || got=$?
    [ "$got" = "$code" ] || { echo "exit $got, not $code: $*"; exit 1; }
    printf '%s\n' "$said" | grep -q -- "$wanted" || { echo "says no '$wanted': $*: $said"; exit 1; }
}
says '^blkback  *a hostile guest' 0 "$1" fuzz --list
says '^xenstore_wire ' 0 "$1" fuzz --list
says '^hypercall ' 0 "$1" fuzz --list
says 'there is no target .nope.; there are: blkback, blkfront' 2 "$1" fuzz nope
says 'which target' 2 "$1" fuzz
says 'subject is for blkback and blkfront, not for hypercall' 2 "$1" fuzz hypercall --subject "$1"
says 'subject is for blkback and blkfront, not for xenstore_ring' 2 "$1" fuzz xenstore_ring --subject "$1"
says 'x.y.z: there is no such file\|is not built; give --build' 2 "$1" fuzz blkback --minimize x.y.z
says '^well' 0 "$1" replay x1.fuzz-blkback.84c7fa2a.bytes=1.AA
says '  1 bytes, 0 acts of the hostile peer' 0 "$1" replay x1.fuzz-blkback.84c7fa2a.bytes=1.AA
says 'another version of the fuzz target' 2 "$1" replay x1.fuzz-blkback.00000001.bytes=1.AA
says 'there is no .fuzz-nothing' 2 "$1" replay x1.fuzz-nothing.84c7fa2a.bytes=1.AA
says 'should say bytes=N' 2 "$1" replay x1.fuzz-blkback.84c7fa2a.model=sc.AA
says 'has bytes that its input has not' 2 "$1" replay x1.fuzz-blkback.84c7fa2a.bytes=2.Ab7hez8BBQE
