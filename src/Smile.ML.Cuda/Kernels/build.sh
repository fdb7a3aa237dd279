#!/usr/bin/env bash
# Compiles the kernels to PTX, which is committed: building Smile.ML.Cuda needs no compiler but .NET's.
#   build.sh          writes ptx/*.ptx
#   build.sh --check  fails where ptx/*.ptx is not what the sources compile to
# Needs clang 22 (Debian: apt-get install clang-22) and no CUDA SDK. CLANG names another binary of the same version.
set -euo pipefail
cd "$(dirname "$0")"
clang="${CLANG:-clang-22}"
if ! command -v "$clang" >/dev/null; then
    echo "$clang is not installed (apt-get install clang-22)" >&2
    exit 1
fi

output=ptx
if [ "${1:-}" = --check ]; then
    output="$(mktemp -d)"
    trap 'rm -rf "$output"' EXIT
fi
mkdir -p "$output"
for source in *.cu; do
    # sm_80: the first with bf16 and tf32 tensor cores; the driver compiles it on for later ones. PTX 8.0 is CUDA 12.0's.
    "$clang" -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 --cuda-feature=+ptx80 -nocudainc -nocudalib -O3 -std=c++17 \
        -ffp-contract=off -Wall -Wextra -Werror -S "$source" -o "$output/${source%.cu}.ptx"
done
# Arrays that the compiler could not keep in registers.
if grep -l '\.local' "$output"/*.ptx; then
    echo "kernels of these files use local memory" >&2
    exit 1
fi
# An instruction and the registers of its operands, numbers left out, one a line.
instructions() {
    tr -d '\n' | tr ';' '\n' | grep -o 'mma\.sync.*' | sed -E 's/%[a-z]+[0-9]+/%/g; s/[[:space:]]//g' | sort -u
}
from_intrinsics="$("$clang" --target=nvptx64-nvidia-cuda -Xclang -target-cpu -Xclang sm_80 -Xclang -target-feature -Xclang +ptx80 \
    -Wno-override-module -S intrinsics.ll -o - | instructions)"
if [ "$from_intrinsics" != "$(cat "$output"/*.ptx | instructions)" ]; then
    echo "the inline assembly is not what LLVM's intrinsics give: $from_intrinsics" >&2
    exit 1
fi
if [ "$output" != ptx ]; then
    diff -rq ptx "$output" || { echo "The committed PTX is not what the sources compile to: run $0" >&2; exit 1; }
fi
