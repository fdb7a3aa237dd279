using System.Diagnostics;

namespace Smile.ML.Cuda.Tests;

/// <summary>What the device check's script makes of what its tools print, with stand-ins for them.</summary>
[TestClass]
public sealed class DeviceCheckScriptTests
{
    private readonly string _folder = Directory.CreateTempSubdirectory("smile-cuda-").FullName;

    [TestInitialize]
    public void CopyScript()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("The device check's script is for Linux.");
        }

        File.Copy(Path.Combine(AppContext.BaseDirectory, "DeviceCheck", "run.sh"), Path.Combine(_folder, "run.sh"));
    }

    [TestCleanup]
    public void Clean() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public void CublasLtIsFoundWherePythonFindsItsPackages()
    {
        // Not only where Python installs them: a user's own folder, e.g., or one that PYTHONPATH names.
        string library = Path.Combine(_folder, "packages", "nvidia", "cu13", "lib", "libcublasLt.so.13");
        Directory.CreateDirectory(Path.GetDirectoryName(library)!);
        File.WriteAllText(library, string.Empty);
        Write("Smile.ML.Cuda.DeviceCheck", "echo \"by ${CUBLASLT:-nothing}\"");
        Write("compute-sanitizer", "true");
        if (Run("bash", "-c", "command -v python3").ExitCode != 0)
        {
            Assert.Inconclusive("There is no Python here.");
        }

        StringAssert.Contains(Run("bash", Path.Combine(_folder, "run.sh"), "--small", "--quick").Output, $"by {library}");
    }

    [TestMethod]
    public void TheSummarySaysWhatCameOfEachTool()
    {
        Write("Smile.ML.Cuda.DeviceCheck", "echo operations: 3 passed, 0 failed");
        Write("compute-sanitizer", """
            case "$2" in
            memcheck) echo "========= ERROR SUMMARY: 0 errors" ;;
            racecheck) echo "========= RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)"; exit 9 ;;
            synccheck) exit 124 ;;
            *) echo "========= ERROR SUMMARY: 1 error"; exit 9 ;;
            esac
            """);
        (int exitCode, string output) = Run("bash", Path.Combine(_folder, "run.sh"), "--small");
        Assert.AreEqual(1, exitCode, output);
        string figures = File.ReadAllText(Path.Combine(_folder, "out", "figures.md"));
        foreach (string line in (string[])
            [
                "- memcheck: ERROR SUMMARY: 0 errors",
                "- racecheck: RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)",
                $"- FAILED (9): {_folder}/compute-sanitizer --tool racecheck",
                $"- ENDED by the time limit: {_folder}/compute-sanitizer --tool synccheck",
                "- initcheck: ERROR SUMMARY: 1 error",
            ])
        {
            StringAssert.Contains(figures, line);
        }

        Assert.IsFalse(figures.Contains("FAILED (124)", StringComparison.Ordinal), figures);
    }

    private (int ExitCode, string Output) Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = Path.GetDirectoryName(_folder) };
        start.Environment["PATH"] = $"{_folder}:{Environment.GetEnvironmentVariable("PATH")}";
        start.Environment["PYTHONPATH"] = Path.Combine(_folder, "packages");
        start.Environment.Remove("CUBLASLT");

        // Of the folder that it is called in.
        start.Environment["OUT"] = Path.Combine(Path.GetFileName(_folder), "out");
        start.RedirectStandardOutput = true;
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    private void Write(string name, string script)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, $"#!/usr/bin/env bash\n{script}\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }
}
