#!/bin/sh
# `xenrig run` of a scenario with a [locking]: a table, JSON and a picture that tell the same, and no option without use.
# usage: experiment.sh XENRIG FOLDER
set -u
. "$(dirname "$0")/../interop/expect.sh"
xenrig=$1
mkdir -p "$2"
cd "$2" || exit 1
cat > short.toml <<'TOML'
scenario = "short"
[host.a]
cpus = 2
[guest.g]
host = "a"
vcpus = 2
[locking]
vcpus-per-cpu = [1, 2]
section-us = [2]
duration-ms = 100
seeds = 1
TOML

"$xenrig" run short.toml --plot locks.svg > table.txt
expect "an experiment ends well" 0 $?
"$xenrig" run short.toml --json > result.json
expect "and tells it as JSON" 0 $?
python3 - <<'PYTHON'
import json
import xml.etree.ElementTree as xml
report = json.load(open("result.json"))
cells = report["cells"]
assert [(c["lock"], c["vcpus_per_cpu"]) for c in cells] == [
    (lock, ratio) for ratio in (1.0, 2.0) for lock in ("spin", "adaptive", "block")], cells
assert all(c["sections"] > 0 for c in cells)
for c in cells:
    of_lock = [line for line in open("table.txt") if c["lock"] in line.split()][0]
    shown = [float(word.rstrip("*")) for word in of_lock[20:].split()]
    told = shown[0 if c["vcpus_per_cpu"] == 1.0 else 1]
    assert abs(told - c["overhead_ns"] / 1000) < 0.006, (of_lock, c)
svg = xml.parse("locks.svg").getroot()
lines = [e for e in svg.iter() if e.tag.endswith("polyline") or e.tag.endswith("path")]
assert len(lines) >= 3, "a line for each kind of lock"
PYTHON
expect "table, JSON and picture tell the same" 0 $?

for option in "--seeds 3" "--first-seed 3" "--trace" "--runs 5" "--migrate-at 3" "--in-process" "--model sc"; do
    # shellcheck disable=SC2086  # an option and its value
    "$xenrig" run short.toml $option > refused.txt 2>&1
    expect "$option does not go with it" 2 $?
    expect "and that is said" 1 "$(grep -c 'only --seed, --json and --plot' refused.txt)"
done
"$xenrig" run short.toml --plot /nowhere/at/all.svg > refused.txt 2>&1
expect "a picture that can't be written" 2 $?
expect "is named" 1 "$(grep -c '/nowhere/at/all.svg: ' refused.txt)"
exit $((failures != 0))
