#!/usr/bin/env bash
# Makes artifacts/device-check: all that a Linux machine with an NVIDIA driver, but without .NET, needs to check and measure the CUDA
# backend. Copy the folder there and call its run.sh. Argument: the folder with the golden checkpoints, where there is one; the demo's pool
# comes along.
set -euo pipefail
golden=""
if [ $# -gt 0 ]; then golden="$(realpath -e "$1")"; fi
cd "$(dirname "$0")"
output=../../artifacts/device-check
rm -rf "$output"
mkdir -p "$output"
# Built in a place of its own: other builds have symbols, and no runtime.
dotnet publish -c Release -r linux-x64 -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true -p:DebugType=none -p:GenerateDocumentationFile=false -p:RunAnalyzers=false \
    --artifacts-path ../../artifacts/device-check-build -o "$output" -v quiet
# ML.NET's, which nothing here calls.
rm -f "$output"/libLdaNative.*
cp run.sh torch_benchmark.py routed_layer.py "$output"
cp -r ../../examples/demo-pool "$output/pool"
if [ -n "$golden" ]; then cp -rL "$golden" "$output/golden"; fi
du -sh "$output"
if [ "$(du -sm "$output" | cut -f1)" -ge 64 ]; then
    echo "$output is 64 MiB or more" >&2
    exit 1
fi
