"""Says in one line how a run of schemathesis went. Usage: count.py REPORT.json EXIT_CODE"""

import json
import sys

report, code = json.load(open(sys.argv[1])), int(sys.argv[2])
cases, operations = report["test_cases"], report["operations"]
failed = cases["unique_failures"] + cases["errored"] + len(report["errors"])
untested = operations["selected"] - operations["tested"]
if untested:
    print(f"{untested} operations were not reached in the time given", file=sys.stderr)
    failed += untested
if code and not failed:
    print(f"schemathesis ended with {code}", file=sys.stderr)
    failed = 1
print(f"{cases['generated'] - cases['with_failures'] - cases['errored']} passed, {failed} failed")
sys.exit(1 if failed else 0)
