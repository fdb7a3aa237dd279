#!/usr/bin/env bash
# On the GPU machine: checks every kernel, the goldens, the kernels once more under compute-sanitizer where it is installed, and measures.
# Writes a report to $OUT, or beside this script; fails where a check failed.
set -uo pipefail
cd "$(dirname "$0")"
report="${OUT:-.}/device-check.txt"
status=0
check=./Smile.ML.Cuda.DeviceCheck

step() {
    echo "== $*" | tee -a "$report"
    "$@" 2>&1 | tee -a "$report"
    if [ "${PIPESTATUS[0]}" -ne 0 ]; then
        echo "FAILED: $*" | tee -a "$report"
        status=1
    fi
}

date -u >"$report"
step "$check" device
if [ "$status" -ne 0 ]; then exit 1; fi
step nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv
step "$check" operations
if [ -d golden ]; then step "$check" goldens golden; fi
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck synccheck initcheck; do
        step compute-sanitizer --tool "$tool" --error-exitcode 9 "$check" operations
    done
else
    echo "compute-sanitizer is not installed: skipped" | tee -a "$report"
fi
step "$check" benchmark
step python3 torch_benchmark.py
exit "$status"
