using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline.MLNet.Packages;

/// <summary>Images in front of the transformer: Microsoft.ML.ImageAnalytics.</summary>
[TestClass]
[TestCategory("MLNet")]
public sealed class SmileWithImagesTests : PipelineTest
{
    private const int Side = 8;
    private const int PixelBytes = 4;

    [TestMethod]
    public void ExtractedPixelsAreTheNetworksInput()
    {
        using ModelPool pool = ModelPool.Open(TinyModels.WriteClipPool(Path.Combine(Folder, "clip")));
        byte[][] pixels = [.. Enumerable.Range(0, 5).Select(seed =>
        {
            var values = new byte[Side * Side * PixelBytes];
            new Random(seed).NextBytes(values);
            for (int i = 3; i < values.Length; i += PixelBytes)
            {
                values[i] = 255;
            }

            return values;
        })];

        // New images on every pass: ML.NET's transforms dispose those that they have read.
        IEnumerable<Picture> pictures = pixels.Select(values => new Picture { Image = MLImage.CreateFromPixels(Side, Side, MLPixelFormat.Rgba32, values) });
        IDataView data = Ml.Data.LoadFromEnumerable(pictures);
        using TransformerChain<SmileTransformer> model = Ml.Transforms
            .ExtractPixels("Pixels", nameof(Picture.Image), offsetImage: 127.5f, scaleImage: 1 / 127.5f)
            .Append(Ml.Transforms.Smile(pool, new SmileOptions { InputColumnName = "Pixels", ExpertRank = 3, RouterRank = 2, Threads = 1 }))
            .Fit(data);

        // Channels x height x width, red first.
        float[][] expected = Run(
            model.LastTransformer.Model,
            [.. pixels.Select(values => Enumerable.Range(0, 3 * Side * Side)
                .Select(i => (values[(i % (Side * Side) * PixelBytes) + (i / (Side * Side))] - 127.5f) * (1 / 127.5f)).ToArray())]);
        IDataView scored = model.Transform(data);
        AssertSameBits(expected, Column(scored, "Embedding"));

        // With the image column in play rows can't be read ahead.
        AssertSameBits(
            expected,
            [.. Ml.Data.CreateEnumerable<Scored>(scored, reuseRowObject: false).Select(row =>
            {
                Assert.AreEqual(Side, row.Image!.Width);
                return row.Embedding;
            })]);
        using PredictionEngine<Picture, Embedded> engine = Ml.Model.CreatePredictionEngine<Picture, Embedded>(model, new PredictionEngineOptions { OwnsTransformer = false });
        AssertSameBits(expected, [.. pictures.Select(picture => engine.Predict(picture).Embedding)]);
    }

    private sealed class Picture
    {
        [ImageType(Side, Side)]
        public MLImage? Image { get; set; }
    }

    private sealed class Scored
    {
        [ImageType(Side, Side)]
        public MLImage? Image { get; set; }

        public float[] Embedding { get; set; } = [];
    }

    private sealed class Embedded
    {
        public float[] Embedding { get; set; } = [];
    }
}
