using Smile.ML.Cuda.Interop;
using Smile.ML.Cuda.Tests.Ptx;

namespace Smile.ML.Cuda.Tests;

/// <summary>The committed PTX, which only a GPU's driver assembles, against the forms that NVIDIA documents.</summary>
[TestClass]
public sealed class PtxTests
{
    private static IEnumerable<string> Files => typeof(CudaDevice).Assembly.GetManifestResourceNames().Where(name => name.EndsWith(".ptx", StringComparison.Ordinal));

    [TestMethod]
    public void EveryInstructionIsOneOfTheDocumentedForms()
    {
        var opcodes = new HashSet<string>();
        foreach (string name in Files)
        {
            var file = new PtxFile();
            IReadOnlyList<string> problems = file.Check(Read(name));
            Assert.IsEmpty(problems, $"{name}: {string.Join("; ", problems.Take(5))}");
            Assert.AreEqual(80, file.Target, name);

            // PTX 8.0 came with CUDA 12.0.
            Assert.IsTrue(file.Version <= (CudaDriver.MinimumVersion / 100) - 40, name);
            opcodes.UnionWith(file.Opcodes.Keys);
        }

        foreach (string opcode in (string[])["mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "cp.async.cg.shared.global", "cp.async.wait_group"])
        {
            Assert.IsTrue(opcodes.Contains(opcode), opcode);
        }
    }

    [TestMethod]
    [DataRow("cp.async.cg.shared.global [%rd", "cp.async.cg.shared.global [%r", "cp.async")]
    [DataRow(", 16, %r", ", 8, %r", "doesn't take")]
    [DataRow("m16n8k16.row.col.f32.bf16.bf16.f32 {", "m16n8k8.row.col.f32.bf16.bf16.f32 {", "not among")]
    [DataRow("cp.async.wait_group \t1;", "cp.async.wait_group \t%r1;", "wait_group doesn't take")]
    [DataRow(".target sm_80", ".target sm_75", "sm_80")]
    [DataRow(".version 8.0", ".version 6.5", "PTX 7")]
    [DataRow("bra \t$L__BB0_1;", "bra \t$L__BB7_1;", "bra doesn't take")]
    [DataRow("bar.sync \t0;", "bar.sync \t%r1;", "bar.sync doesn't take")]
    [DataRow("cvt.rn.bf16x2.f32 \t%r", "cvt.rn.bf16x2.f32 \t%rd", "cvt.rn.bf16x2.f32 doesn't take")]
    public void MistakesAreFound(string from, string to, string expected)
    {
        string text = Read("products_bf16.ptx");
        int at = text.IndexOf(from, StringComparison.Ordinal);
        Assert.IsTrue(at >= 0, from);
        IReadOnlyList<string> problems = new PtxFile().Check(string.Concat(text.AsSpan(0, at), to, text.AsSpan(at + from.Length)));
        StringAssert.Contains(string.Join("\n", problems), expected);
    }

    private static string Read(string name)
    {
        using var reader = new StreamReader(typeof(CudaDevice).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
