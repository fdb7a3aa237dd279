#!/usr/bin/env bash
# On the GPU machine: checks every kernel, the goldens and a pool, measures, and looks at the kernels with compute-sanitizer.
#   run.sh [--quick] [--small] [--budget SECONDS]
#   --quick   leaves out the operations beside a few of each kind, and all of the sanitizer but memcheck
#   --small   small sizes, no pool, no PyTorch: for an emulated device
#   --budget  ends what has not ended by then, 420 seconds by default; what is most wanted comes first
# Writes device-check.txt, all that was printed, and figures.md, ready for docs/cuda-figures.md, to $OUT or beside this script, as they
# come. Fails where a check failed or didn't end; one that the time limit ended is reported as that.
set -uo pipefail
out="$(realpath -m "${OUT:-$(dirname "$0")}")"
mkdir -p "$out"
cd "$(dirname "$0")"
quick=false
small=false
budget=420
while [ $# -gt 0 ]; do
    case "$1" in
    --quick) quick=true ;;
    --small) small=true ;;
    --budget) budget="$2"; shift ;;
    *) sed -n 2,8p "$0"; exit 2 ;;
    esac
    shift
done
report="$out/device-check.txt"
figures="$out/figures.md"
check=./Smile.ML.Cuda.DeviceCheck
status=0
SECONDS=0

# What the driver compiles is kept between the steps.
export CUDA_CACHE_PATH="${CUDA_CACHE_PATH:-$PWD/compiled}"

# Where PyTorch brings cuBLASLt and the program wouldn't find it.
if [ -z "${CUBLASLT:-}" ]; then
    CUBLASLT="$(python3 -c 'import glob, os, sys
found = [file for path in sys.path for file in glob.glob(os.path.join(path, "nvidia", "**", "libcublasLt.so.1[23]"), recursive=True)]
print(found[0] if found else "")' 2>/dev/null)"
    if [ -n "$CUBLASLT" ]; then export CUBLASLT; else unset CUBLASLT; fi
fi

# step LIMIT COMMAND...: runs it for that many seconds, or what is left, at most.
step() {
    local limit=$1 left=$((budget - SECONDS)) code
    shift
    if [ "$left" -le 0 ]; then
        echo "NO TIME LEFT for $*" | tee -a "$report"
        status=1
        return
    fi
    echo "== $* (at $SECONDS s)" | tee -a "$report"
    timeout "$((limit < left ? limit : left))" "$@" 2>&1 | tee -a "$report"
    code=${PIPESTATUS[0]}
    if [ "$code" -eq 124 ]; then
        echo "ENDED by the time limit: $*" | tee -a "$report"
        status=1
    elif [ "$code" -ne 0 ]; then
        echo "FAILED ($code): $*" | tee -a "$report"
        status=1
    fi
}

date -u >"$report"
: >"$figures"
step 60 "$check" device
if [ "$status" -ne 0 ]; then exit 1; fi
if command -v nvidia-smi >/dev/null; then
    step 20 nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.memory --format=csv
fi
step 120 "$check" operations --quick
if [ -d golden ]; then step 120 "$check" goldens golden; fi
rm -f torch.tsv
if ! $small && python3 -c 'import torch' 2>/dev/null; then step 60 python3 torch_benchmark.py torch.tsv; fi
benchmark=(benchmark --figures "$figures" --torch torch.tsv)
if $small; then benchmark+=(--small); fi
step 150 "$check" "${benchmark[@]}"
step 60 "$check" kernels
if [ -d pool ] && ! $small; then step 90 "$check" pool pool; fi
if sanitizer="$(command -v compute-sanitizer || command -v /usr/local/cuda/bin/compute-sanitizer)"; then
    tools=(memcheck racecheck synccheck initcheck)
    if $quick; then tools=(memcheck); fi
    for tool in "${tools[@]}"; do
        step 75 "$sanitizer" --tool "$tool" --error-exitcode 9 "$check" operations --quick
    done
else
    echo "compute-sanitizer is not installed: skipped" | tee -a "$report"
fi
if ! $quick; then step 120 "$check" operations; fi
{
    echo
    echo "## Checks"
    echo
    # A sanitizer's summary doesn't name the tool; the step's heading does.
    awk '/^== / { tool = ""; for (i = 2; i < NF; i++) if ($i == "--tool") tool = $(i + 1) }
        /^(operations|goldens|kernels|pool|benchmark): |^FAILED|^ENDED|^NO TIME LEFT|compute-sanitizer is not/ { print "- " $0 }
        /(ERROR|RACECHECK) SUMMARY/ { sub(/^=* */, ""); print "- " tool ": " $0 }' "$report"
} >>"$figures"
echo "$SECONDS s in all" | tee -a "$report"
exit "$status"
