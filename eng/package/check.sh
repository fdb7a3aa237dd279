#!/usr/bin/env bash
# Packs, looks into the packages, and uses them as their users do: the example builds and runs from them, the tool is installed and fuses the demo pool.
# With MLNetSource=standin there is nothing to pack, and only that is checked.
set -euo pipefail
cd "$(dirname "$0")/../.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

rm -f eng/packages/*.nupkg eng/packages/*.snupkg
if MLNetSource=standin ./build.sh pack >"$work/log" 2>&1 || [ -n "$(ls eng/packages)" ] || ! grep -q "Nothing is packed" "$work/log"; then
    echo "Packing against the stand-in was not refused." && exit 1
fi
# A bare dotnet pack refuses too.
if dotnet pack src/Smile.ML.Cuda --no-build -c Release -p:MLNetSource=standin >"$work/log" 2>&1 || [ -n "$(ls eng/packages)" ] || ! grep -q "is not packed" "$work/log"; then
    cat "$work/log"
    echo "dotnet pack against the stand-in was not refused." && exit 1
fi

if [ "${MLNetSource:-}" = standin ]; then
    exit 0
fi

./build.sh pack
dotnet run eng/package/check.cs -- eng/packages "$PWD" "$HOME"

# An own packages folder: the usual one may hold another build of this version.
export NUGET_PACKAGES="$work/packages"
dotnet build examples/FromPackages -c Release -v quiet --artifacts-path "$work/example" -p:RestorePackagesPath="$work/packages"
grep -q "eng/packages" "$work/packages/smile.ml/"*/.nupkg.metadata
dotnet "$work/example/bin/FromPackages/release/FromPackages.dll" | tee "$work/digits"
[ "$(grep -cE 'digit ([0-9]): predicted \1' "$work/digits")" -ge 8 ]

dotnet tool install Smile.ML.Tool --tool-path "$work/tool" --add-source eng/packages
"$work/tool/smile" fuse --pool examples/demo-pool --output "$work/fused" --expert-rank 32 --router-rank 16
"$work/tool/smile" eval --model "$work/fused" --heads examples/demo-pool/heads --data examples/demo-pool/data
# Smile.ML.Cuda came with it: without a GPU it is the driver that is missed, not the device.
if ! "$work/tool/smile" bench forward --device cuda --in-features 16 --out-features 16 --experts 1 --tokens 4 --expert-rank 2 --router-rank 1 2>"$work/cuda"; then
    grep -q "CUDA driver" "$work/cuda"
fi
