#!/usr/bin/env bash
# Builds the kernels with the host's compiler into an emulated CUDA driver. Arguments: the library to write. Needs g++ on Linux.
set -euo pipefail
output="$(realpath -m "$1")"
cd "$(dirname "$0")"
mkdir -p "$(dirname "$output")"
# No contraction of a * b + c: the kernels say where they mean a fused multiply-add, as they do for the GPU.
g++ -std=c++17 -O2 -march=native -ffp-contract=off -U_FORTIFY_SOURCE -fPIC -shared -fvisibility=hidden -Wall -Wextra -Wno-unknown-pragmas \
    -DSMILE_CUDA_EMULATOR -I. -x c++ emulator.cpp driver.cpp cublaslt.cpp ../../../src/Smile.ML.Cuda/Kernels/*.cu -o "$output.new"
mv "$output.new" "$output"
