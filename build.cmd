@echo off
rem build.cmd demo ^| test ^| bench ^| pack
rem Needs the .NET 10 SDK and nothing else.
setlocal enabledelayedexpansion
cd /d "%~dp0"
set DOTNET_NOLOGO=1
set DOTNET_CLI_TELEMETRY_OPTOUT=1
set command=%~1
if not "%command%"=="demo" if not "%command%"=="test" if not "%command%"=="bench" if not "%command%"=="pack" (
    echo usage: build.cmd demo ^| test ^| bench ^| pack 1>&2
    exit /b 2
)

rem Where ML.NET comes from: MLNetSource as given, else the package when the feed has it, else the stand-in (eng\MLNet.props).
if "%MLNetSource%"=="" (
    set probe=artifacts\mlnet-probe
    if not exist "!probe!\answer" (
        mkdir "!probe!" 2>nul
        echo ^<Project Sdk="Microsoft.NET.Sdk"^>^<PropertyGroup^>^<TargetFramework^>net10.0^</TargetFramework^>^</PropertyGroup^>^<ItemGroup^>^<PackageReference Include="Microsoft.ML" NoWarn="NU1603" /^>^</ItemGroup^>^</Project^>>"!probe!\probe.csproj"
        dotnet restore "!probe!\probe.csproj" >"!probe!\log" 2>&1 && (echo package>"!probe!\answer") || (echo standin>"!probe!\answer")
    )
    set /p MLNetSource=<"!probe!\answer"
)
set properties=-c Release -p:MLNetSource=%MLNetSource%
if not "%MLNetFolder%"=="" set properties=%properties% "-p:MLNetFolder=%MLNetFolder%"
echo ML.NET: %MLNetSource%

if "%command%"=="demo" (
    dotnet build examples\Demo %properties% -v quiet || exit /b 1
    dotnet run --no-build -c Release --project examples\Demo
    exit /b !errorlevel!
)
if "%command%"=="test" (
    rem The stand-in has no trainers and normalisers: tests of the category MLNet need the real thing.
    set filter=
    if "%MLNetSource%"=="standin" set filter=--filter "TestCategory!=MLNet"
    dotnet build Smile.ML.sln %properties% -v quiet || exit /b 1
    dotnet test Smile.ML.sln --no-build %properties% !filter!
    exit /b !errorlevel!
)
if "%command%"=="bench" (
    dotnet build src\Smile.ML.Tool %properties% -v quiet || exit /b 1
    dotnet run --no-build -c Release --project src\Smile.ML.Tool -- bench fuse || exit /b 1
    dotnet run --no-build -c Release --project src\Smile.ML.Tool -- bench forward
    exit /b !errorlevel!
)
if "%MLNetSource%"=="standin" (
    echo Nothing is packed: Smile.ML would depend on the ML.NET stand-in, which no user has. Take a feed that has Microsoft.ML 5 and 1>&2
    echo MLNetSource=package, or ML.NET's assemblies with MLNetSource=folder and MLNetFolder. 1>&2
    exit /b 1
)
dotnet pack eng\package\Packages.slnf %properties% -p:ContinuousIntegrationBuild=true -v quiet || exit /b 1
dir /b eng\packages
