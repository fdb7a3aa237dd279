using System.Text;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Checkpoints;

[TestClass]
public sealed class SafetensorsFileTests
{
    private const string TwoTensors =
        """{"__metadata__":{"format":"pt","made by":"hand"},"b":{"dtype":"I16","shape":[3],"data_offsets":[8,14]},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}  """;

    private static readonly byte[] TwoTensorsData = [0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0, 1, 0, 0xFF, 0xFF, 0, 0x80];

    [TestMethod]
    public void ReadsAFileMadeByHand()
    {
        using var folder = new TemporaryFolder();
        using var file = SafetensorsFile.Open(folder.Write("x.safetensors", SafetensorsBytes.Create(TwoTensors, TwoTensorsData)));

        CollectionAssert.AreEquivalent(
            new[] { new TensorInfo("a", TensorType.F32, [1, 2]), new TensorInfo("b", TensorType.I16, [3]) }, file.Tensors.Values.ToArray());
        Assert.AreEqual("pt", file.Metadata["format"]);
        Assert.AreEqual("hand", file.Metadata["made by"]);
        CollectionAssert.AreEqual(new[] { 1f, -2.5f }, file.ReadFloats("a"));
        CollectionAssert.AreEqual(new[] { 1L, -1, -32768 }, file.ReadIntegers("b"));
        CollectionAssert.AreEqual(TwoTensorsData[8..], file.ReadBytes("b"));
    }

    [TestMethod]
    public void ReadsRangesAndRefusesThoseThatLeaveTheTensor()
    {
        using var folder = new TemporaryFolder();
        using var file = SafetensorsFile.Open(folder.Write("x.safetensors", SafetensorsBytes.Create(TwoTensors, TwoTensorsData)));

        float[] last = new float[1];
        file.ReadFloats("a", 1, last);
        Assert.AreEqual(-2.5f, last[0]);
        file.ReadFloats("a", 2, []);

        AssertNames(() => file.ReadFloats("a", 1, new float[2]), file.Location, "'a'", "F32 [1, 2]");
        AssertNames(() => file.ReadFloats("a", -1, new float[1]), file.Location, "'a'");
        AssertNames(() => file.ReadFloats("a", long.MaxValue, new float[1]), file.Location, "'a'");
        AssertNames(() => file.ReadBytes("b", 5, new byte[2]), file.Location, "'b'", "6");
        AssertNames(() => file.ReadFloats("b", 0, new float[1]), file.Location, "'b'", "I16", "floating-point");
        AssertNames(() => file.ReadIntegers("a"), file.Location, "'a'", "F32", "integer");
        AssertNames(() => file.ReadFloats("c"), file.Location, "'c'");
    }

    [TestMethod]
    public void WidensEveryIntegerType()
    {
        using var folder = new TemporaryFolder();
        const string Header =
            """{"i64":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"i32":{"dtype":"I32","shape":[1],"data_offsets":[8,12]},"i8":{"dtype":"I8","shape":[2],"data_offsets":[12,14]},"u8":{"dtype":"U8","shape":[2],"data_offsets":[14,16]},"bool":{"dtype":"BOOL","shape":[2],"data_offsets":[16,18]},"lie":{"dtype":"BOOL","shape":[],"data_offsets":[18,19]}}""";
        byte[] data = [0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0x80, 0x80, 0x7F, 0xFF, 0x7F, 1, 0, 2];
        using var file = SafetensorsFile.Open(folder.Write("x.safetensors", SafetensorsBytes.Create(Header, data)));

        CollectionAssert.AreEqual(new[] { long.MinValue }, file.ReadIntegers("i64"));
        CollectionAssert.AreEqual(new[] { (long)int.MinValue }, file.ReadIntegers("i32"));
        CollectionAssert.AreEqual(new[] { -128L, 127 }, file.ReadIntegers("i8"));
        CollectionAssert.AreEqual(new[] { 255L, 127 }, file.ReadIntegers("u8"));
        CollectionAssert.AreEqual(new[] { 1L, 0 }, file.ReadIntegers("bool"));
        AssertNames(() => file.ReadIntegers("lie"), file.Location, "'lie'", "2", "0 or 1");
    }

    [TestMethod]
    public void ReadsEmptyTensorsScalarsAndEmptyFiles()
    {
        using var folder = new TemporaryFolder();
        const string Header =
            """{"empty":{"dtype":"F32","shape":[4,0],"data_offsets":[0,0]},"scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"after":{"dtype":"F16","shape":[0],"data_offsets":[4,4]}}""";
        using var file = SafetensorsFile.Open(folder.Write("x.safetensors", SafetensorsBytes.Create(Header, [0, 0, 0, 0x40])));
        Assert.IsEmpty(file.ReadFloats("empty"));
        Assert.IsEmpty(file.ReadFloats("after"));
        CollectionAssert.AreEqual(new[] { 2f }, file.ReadFloats("scalar"));

        using var none = SafetensorsFile.Open(folder.Write("none.safetensors", SafetensorsBytes.Create("{}", [])));
        Assert.IsEmpty(none.Tensors);
        Assert.IsEmpty(none.Metadata);
    }

    [TestMethod]
    [DataRow("""[]""", 0, new[] { "'{'" }, DisplayName = "not an object")]
    [DataRow("", 0, new[] { "'{'" }, DisplayName = "no header")]
    [DataRow("""  {}""", 0, new[] { "'{'" }, DisplayName = "white space first")]
    [DataRow("""{"t":""", 0, new[] { "JSON" }, DisplayName = "unfinished JSON")]
    [DataRow("""{} {}""", 0, new[] { "JSON" }, DisplayName = "something after the object")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5, new[] { "found 5 bytes", "expected 4" }, DisplayName = "bytes after the last tensor")]
    [DataRow("""{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, new[] { "'t'", "8", "only 4", "truncated" }, DisplayName = "data too short")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, new[] { "'t'", "byte 4", "expected 0" }, DisplayName = "hole at the start")]
    [DataRow("""{"s":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"t":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}}""", 8, new[] { "'t'", "byte 5", "expected 4", "'s'" }, DisplayName = "hole")]
    [DataRow("""{"s":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"t":{"dtype":"U8","shape":[5],"data_offsets":[3,8]}}""", 8, new[] { "'t'", "byte 3", "expected 4", "'s'" }, DisplayName = "overlap")]
    [DataRow("""{"s":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 4, new[] { "byte 0", "expected 4" }, DisplayName = "same range twice")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, new[] { "'t'", "[4, 0]", "-4 bytes", "expected 4" }, DisplayName = "end before begin")]
    [DataRow("""{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "4 bytes", "expected 12", "F32 [3]" }, DisplayName = "shape disagrees with range")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "twice" }, DisplayName = "duplicate name")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0074":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, new[] { "'t'", "twice" }, DisplayName = "duplicate name, escaped")]
    [DataRow("""{"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "shape", "-1" }, DisplayName = "negative dimension")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "shape", "1.5" }, DisplayName = "fractional dimension")]
    [DataRow("""{"t":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "shape" }, DisplayName = "dimension is text")]
    [DataRow("""{"t":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "shape" }, DisplayName = "dimension is a list")]
    [DataRow("""{"t":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "shape", "18446744073709551615" }, DisplayName = "dimension beyond 63 bits")]
    [DataRow("""{"t":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "F32 [4294967296, 4294967296]", "64 bits" }, DisplayName = "element count overflows to 0")]
    [DataRow("""{"t":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}""", 0, new[] { "'t'", "64 bits" }, DisplayName = "byte count overflows to 0")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}""", 4, new[] { "'t'", "data_offsets", "-4" }, DisplayName = "negative offset")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775804,9223372036854775807]}}""", 4, new[] { "'t'", "data_offsets" }, DisplayName = "huge offsets")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", 4, new[] { "'t'", "data_offsets", "1 numbers", "expected 2" }, DisplayName = "one offset")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""", 4, new[] { "'t'", "data_offsets", "more than 2" }, DisplayName = "three offsets")]
    [DataRow("""{"t":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}""", 4, new[] { "'t'", "shape", "array" }, DisplayName = "shape is a number")]
    [DataRow("""{"t":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "'F8_E4M3'", "BF16" }, DisplayName = "unknown dtype")]
    [DataRow("""{"t":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "'f32'" }, DisplayName = "dtype in lower case")]
    [DataRow("""{"t":{"dtype":1,"shape":[1],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "dtype", "string" }, DisplayName = "dtype is a number")]
    [DataRow("""{"t":{"shape":[1],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "'dtype' is missing" }, DisplayName = "no dtype")]
    [DataRow("""{"t":{"dtype":"F32","data_offsets":[0,4]}}""", 4, new[] { "'t'", "'shape' is missing" }, DisplayName = "no shape")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1]}}""", 4, new[] { "'t'", "'data_offsets' is missing" }, DisplayName = "no data_offsets")]
    [DataRow("""{"t":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}""", 4, new[] { "'t'", "'dtype' twice" }, DisplayName = "two dtypes")]
    [DataRow("""{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}}""", 4, new[] { "'t'", "'strides'" }, DisplayName = "unknown key")]
    [DataRow("""{"t":[1]}""", 4, new[] { "'t'", "object" }, DisplayName = "tensor is a list")]
    [DataRow("""{"__metadata__":{"a":1}}""", 0, new[] { "'__metadata__'", "'a'", "string" }, DisplayName = "metadata holds a number")]
    [DataRow("""{"__metadata__":[]}""", 0, new[] { "'__metadata__'", "object" }, DisplayName = "metadata is a list")]
    [DataRow("""{"__metadata__":{"a":"1","a":"2"}}""", 0, new[] { "'__metadata__'", "'a'", "twice" }, DisplayName = "metadata key twice")]
    [DataRow("""{"__metadata__":{},"__metadata__":{}}""", 0, new[] { "'__metadata__'", "twice" }, DisplayName = "metadata twice")]
    [DataRow("""{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, new[] { "Unicode" }, DisplayName = "half a surrogate pair")]
    public void RefusesALyingHeader(string header, int dataLength, string[] expected)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("lie.safetensors", SafetensorsBytes.Create(header, new byte[dataLength]));
        AssertNames(() => SafetensorsFile.Open(path), [path, .. expected]);
    }

    [TestMethod]
    public void RefusesInvalidUtf8()
    {
        using var folder = new TemporaryFolder();
        byte[] header = Encoding.UTF8.GetBytes("""{"t?":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""");
        header[3] = 0xC3;
        string path = folder.Write("x.safetensors", SafetensorsBytes.Create(header, new byte[4]));
        AssertNames(() => SafetensorsFile.Open(path), path, "UTF-8");
    }

    [TestMethod]
    public void RefusesDeepJson()
    {
        using var folder = new TemporaryFolder();
        string deep = new string('[', 1_000_000);
        string inName = folder.Write("a.safetensors", SafetensorsBytes.Create($$"""{"t":{{deep}}""", []));
        AssertNames(() => SafetensorsFile.Open(inName), inName, "'t'");
        string inShape = folder.Write("b.safetensors", SafetensorsBytes.Create($$"""{"t":{"shape":{{deep}}""", []));
        AssertNames(() => SafetensorsFile.Open(inShape), inShape, "'t'", "shape");
    }

    [TestMethod]
    public void RefusesTooManyDimensions()
    {
        using var folder = new TemporaryFolder();
        string ones = string.Join(',', Enumerable.Repeat(1, 65));
        string path = folder.Write("x.safetensors", SafetensorsBytes.Create($$$"""{"t":{"dtype":"U8","shape":[{{{ones}}}],"data_offsets":[0,1]}}""", [0]));
        AssertNames(() => SafetensorsFile.Open(path), path, "'t'", "64");
    }

    [TestMethod]
    public void RefusesAFileTruncatedAnywhere()
    {
        using var folder = new TemporaryFolder();
        byte[] whole = SafetensorsBytes.Create(TwoTensors, TwoTensorsData);
        for (int length = 0; length < whole.Length; length++)
        {
            string path = folder.Write("x.safetensors", whole.AsSpan(0, length));
            AssertNames(() => SafetensorsFile.Open(path), path);
        }
    }

    [TestMethod]
    public void AFileChangedAnywhereIsRefusedOrReadable()
    {
        using var folder = new TemporaryFolder();
        byte[] whole = SafetensorsBytes.Create(TwoTensors, TwoTensorsData);
        byte[] interesting = [.. "0123456789-.eE\"\\[]{},: "u8, 0, 0x7F, 0x80, 0xC3, 0xFF];
        var random = new Random(7);
        int refused = 0;
        for (int round = 0; round < 3000; round++)
        {
            byte[] changed = [.. whole];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                changed[random.Next(whole.Length)] = interesting[random.Next(interesting.Length)];
            }

            string path = folder.Write("x.safetensors", changed);
            try
            {
                using var file = SafetensorsFile.Open(path);
                foreach (TensorInfo tensor in file.Tensors.Values)
                {
                    Assert.HasCount((int)tensor.ByteLength, file.ReadBytes(tensor.Name));
                }
            }
            catch (SmileException e)
            {
                Assert.Contains(path, e.Message, StringComparison.Ordinal);
                refused++;
            }
        }

        Assert.IsInRange(1000, 2999, refused);
    }

    [TestMethod]
    public void AllocatesNoMoreThanTheFileJustifies()
    {
        using var folder = new TemporaryFolder();
        string[] lies =
        [
            folder.Write("long-header.safetensors", [0xFF, 0xE0, 0xF5, 0x05, 0, 0, 0, 0, (byte)'{', (byte)'}']),
            folder.Write("longer-header.safetensors", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, (byte)'{', (byte)'}']),
            folder.Write("shape.safetensors", SafetensorsBytes.Create("""{"t":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}""", new byte[8])),
            folder.Write("name.safetensors", SafetensorsBytes.Create($$$"""{"{{{new string('t', 10_000)}}}":{"dtype":"?","shape":[1],"data_offsets":[0,4]}}""", new byte[4])),
        ];

        _ = Assert.ThrowsExactly<SmileException>(() => SafetensorsFile.Open(lies[0]));
        long before = GC.GetAllocatedBytesForCurrentThread();
        foreach (string path in lies)
        {
            var e = Assert.ThrowsExactly<SmileException>(() => SafetensorsFile.Open(path));
            Assert.IsLessThan(2_000, e.Message.Length);
        }

        Assert.IsLessThan(500_000L, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void RefusesWhatIsNoFile()
    {
        using var folder = new TemporaryFolder();
        AssertNames(() => SafetensorsFile.Open(folder["missing"]), folder["missing"], "no such file");
        AssertNames(() => SafetensorsFile.Open(folder.Path), folder.Path, "folder");
        string pickle = folder.Write("model.bin", "PK\u0003\u0004 a zip archive");
        AssertNames(() => SafetensorsFile.Open(pickle), pickle, "safetensors");
    }

    [TestMethod]
    public void RefusesAFileThatShrankSinceItWasOpened()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("x.safetensors", SafetensorsBytes.Create("""{"t":{"dtype":"U8","shape":[100000],"data_offsets":[0,100000]}}""", new byte[100000]));
        using var file = SafetensorsFile.Open(path);
        try
        {
            File.WriteAllBytes(path, [1]);
        }
        catch (IOException)
        {
            Assert.Inconclusive("This system keeps open files from being cut.");
        }

        AssertNames(() => file.ReadBytes("t"), path, "shrank");
    }

    [TestMethod]
    public void ReadsFromManyThreadsAndSurvivesARacingDispose()
    {
        using var folder = new TemporaryFolder();
        float[] values = [.. Enumerable.Range(0, 20_000).Select(i => (float)i)];
        byte[] data = [.. values.SelectMany(BitConverter.GetBytes)];
        string path = folder.Write("x.safetensors", SafetensorsBytes.Create("""{"t":{"dtype":"F32","shape":[20000],"data_offsets":[0,80000]}}""", data));

        int completed = 0;
        for (int round = 0; round < 40; round++)
        {
            var file = SafetensorsFile.Open(path);
            int roundCompleted = 0;
            Task[] readers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                try
                {
                    while (true)
                    {
                        CollectionAssert.AreEqual(values, file.ReadFloats("t"));
                        Interlocked.Increment(ref roundCompleted);
                    }
                }
                catch (ObjectDisposedException)
                {
                }
            }))];
            SpinWait.SpinUntil(() => Volatile.Read(ref roundCompleted) > 4);
            file.Dispose();
            Task.WaitAll(readers);
            completed += roundCompleted;
        }

        Assert.IsGreaterThan(40 * 4, completed);
    }

    [TestMethod]
    public void ReadsEveryGoldenFile()
    {
        string[] paths = Directory.GetFiles(Golden.PathOf(), "*.safetensors", SearchOption.AllDirectories);
        Assert.IsNotEmpty(paths);
        foreach (string path in paths)
        {
            using var file = SafetensorsFile.Open(path);
            foreach (TensorInfo tensor in file.Tensors.Values)
            {
                if (tensor.Type.IsFloatingPoint())
                {
                    Assert.IsTrue(file.ReadFloats(tensor.Name).All(float.IsFinite), $"{path}: {tensor.Name}");
                }
                else
                {
                    Assert.IsTrue(file.ReadIntegers(tensor.Name).All(value => value is >= 0 and < 1000), $"{path}: {tensor.Name}");
                }
            }
        }
    }

    private static void AssertNames(Action action, params string[] expected)
    {
        var e = Assert.ThrowsExactly<SmileException>(action);
        foreach (string text in expected)
        {
            Assert.Contains(text, e.Message, StringComparison.Ordinal);
        }
    }
}
