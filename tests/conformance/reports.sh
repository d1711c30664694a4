#!/bin/sh
# `xenrig conformance` ends with 0, and its reports can be read by who reads such reports.
# usage: reports.sh XENRIG FOLDER
set -eu
mkdir -p "$2"
"$1" conformance --junit "$2/report.xml" --json "$2/report.json" > "$2/out.txt"
python3 - "$2" <<'PYTHON'
import json, sys
import xml.etree.ElementTree as xml
folder = sys.argv[1]
report = json.load(open(folder + "/report.json"))
suites = xml.parse(folder + "/report.xml").getroot()
cases = suites.findall("./testsuite/testcase")
assert len(cases) == len(report["checks"]) == int(suites.get("tests")) > 0, "both reports tell of the same checks"
assert [c.get("name") for c in cases] == [c["id"] for c in report["checks"]], "in the same order"
assert int(suites.get("failures")) == 0 and int(suites.get("errors")) == 0, "without a failure"
lines = open(folder + "/out.txt").read().splitlines()
assert lines[-1].startswith("%d checks:" % len(cases)), "and the last line counts them"
PYTHON
