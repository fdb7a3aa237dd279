#!/usr/bin/env bash
# ./build.sh demo | test | bench | pack
# Needs the .NET 10 SDK and nothing else.
set -euo pipefail
cd "$(dirname "$0")"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

# Where ML.NET comes from: MLNetSource as given, else the package when the feed has it, else the stand-in (eng/MLNet.props).
mlnet_source() {
    if [ -n "${MLNetSource:-}" ]; then
        echo "$MLNetSource"
        return
    fi
    local probe=artifacts/mlnet-probe
    if [ ! -f "$probe/answer" ]; then
        mkdir -p "$probe"
        cat >"$probe/probe.csproj" <<'PROJECT'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
  <ItemGroup><PackageReference Include="Microsoft.ML" NoWarn="NU1603" /></ItemGroup>
</Project>
PROJECT
        if dotnet restore "$probe/probe.csproj" >"$probe/log" 2>&1; then echo package; else echo standin; fi >"$probe/answer"
    fi
    cat "$probe/answer"
}

command="${1:-}"
[ $# -gt 0 ] && shift
case "$command" in
demo | test | bench | pack) ;;
*)
    echo "usage: ./build.sh demo | test | bench | pack" >&2
    exit 2
    ;;
esac

MLNetSource="$(mlnet_source)"
properties=(-c Release "-p:MLNetSource=$MLNetSource")
[ -n "${MLNetFolder:-}" ] && properties+=("-p:MLNetFolder=$MLNetFolder")
echo "ML.NET: $MLNetSource"

case "$command" in
demo)
    dotnet build examples/Demo "${properties[@]}" -v quiet
    dotnet run --no-build -c Release --project examples/Demo -- "$@"
    ;;
test)
    # The stand-in has no trainers and normalisers: tests of the category MLNet need the real thing.
    filter=()
    [ "$MLNetSource" = standin ] && filter=(--filter "TestCategory!=MLNet")
    dotnet build Smile.ML.sln "${properties[@]}" -v quiet
    dotnet test Smile.ML.sln --no-build "${properties[@]}" "${filter[@]}" "$@"
    ;;
bench)
    dotnet build src/Smile.ML.Tool "${properties[@]}" -v quiet
    for what in fuse forward; do
        dotnet run --no-build -c Release --project src/Smile.ML.Tool -- bench "$what" "$@"
    done
    ;;
pack)
    if [ "$MLNetSource" = standin ]; then
        echo "Nothing is packed: Smile.ML would depend on the ML.NET stand-in, which no user has. Take a feed that has Microsoft.ML 5 and" >&2
        echo "MLNetSource=package, or ML.NET's assemblies with MLNetSource=folder MLNetFolder=PATH." >&2
        exit 1
    fi
    dotnet pack eng/package/Packages.slnf "${properties[@]}" -p:ContinuousIntegrationBuild=true -v quiet "$@"
    ls eng/packages/*.nupkg eng/packages/*.snupkg
    ;;
esac
