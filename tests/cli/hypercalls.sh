#!/bin/sh
# `xenrig hypercalls`: what goes wrong with a script is said in a line, and the exit code tells it from what Xen refuses.
# usage: hypercalls.sh XENRIG FOLDER
set -u
. "$(dirname "$0")/../interop/expect.sh"
xenrig=$1
mkdir -p "$2"
cd "$2" || exit 1

refused() {  # NAME WORDS ARGS...
    name=$1 words=$2
    shift 2
    "$xenrig" hypercalls "$@" > out.txt 2> err.txt
    expect "$name ends with 2" 2 $?
    expect "and says so" 1 "$(grep -c -- "$words" err.txt)"
    expect "and nothing else" 0 "$(wc -c < out.txt)"
}
refused "a file that is not there" "nowhere.ops: can't be read: No such file" nowhere.ops
refused "a folder" "can't be read: Is a directory" .
: > empty.ops
refused "a script without an operation" "empty.ops: there is no operation in it" empty.ops
refused "a kind that nobody knows" "domq not in" --as domq empty.ops
refused "no script at all" "a script, or --generate SEED is required"
refused "a length without a seed" "--length requires --generate" --length 5 empty.ops

printf 'au 0x7ff0 0 =1\nst 0x7ff0 $1\nst 0x7ff0 77777\nwhat 1\n' > good.ops
"$xenrig" hypercalls good.ops > out.txt 2> err.txt
expect "what Xen refuses is an answer" 0 $?
expect "to an operation as to another" "1 au rc=0 port=1" "$(sed -n 5p out.txt)"
expect "with its error" 1 "$(grep -c '^3 st rc=-22' out.txt)"
expect "and an operation that nobody knows is one, too" "4 what ?" "$(sed -n 8p out.txt)"
expect "the count is beside the answers" "4 operations, 3 of them hypercalls, of which 2 succeeded" "$(cat err.txt)"
head -c 3000 /dev/zero | tr '\0' '\377' > noise.ops
"$xenrig" hypercalls noise.ops > out.txt 2> err.txt
expect "noise is answered" "@@DONE" "$(tail -n 1 out.txt)"
printf 'w4 5 0 0\nhc 29 2 @5\nau 0x7ff0 0\n' > ends.ops
"$xenrig" hypercalls ends.ops > out.txt 2> err.txt
expect "a script that ends the domain ends with 1" 1 $?
expect "and says where" "@@FAULT the domain ended at line 2" "$(tail -n 1 out.txt)"
"$xenrig" hypercalls --generate 3 --length 5 > /dev/full 2> err.txt
expect "a full disk ends with 2" 2 $?
"$xenrig" hypercalls --generate 3 --length 500 > a.ops 2> err.txt
"$xenrig" hypercalls --generate 3 --length 500 > b.ops 2> err.txt
expect "a seed makes a script" 0 "$(cmp a.ops b.ops > /dev/null 2>&1; echo $?)"
expect "of so many operations" 500 "$(grep -cv '^#' a.ops)"
exit $((failures != 0))
