using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.ObjectPool;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.DependencyInjection;
using Smile.ML.Fusion;

namespace Smile.ML.Tests.DependencyInjection;

/// <summary>
/// AddSmile beside a pool of prediction engines in one container. The pool is made as Microsoft.Extensions.ML's PredictionEnginePool is: an
/// <see cref="ObjectPool{T}"/> of engines over one loaded model that none of them owns, replaced as a whole on reload.
/// </summary>
[TestClass]
public sealed class PredictionEnginePoolTests : PredictorTest
{
    private const int Callers = 8;

    [TestMethod]
    public async Task APoolOfEnginesAndThePredictorGiveTheSameAndReloadUnderLoad()
    {
        (string first, string second) = WriteModels();
        string served = Folder["served"], zip = Folder["model.zip"];
        CopyFolder(first, served);
        Save(first, zip);
        using SmileModel expectedFirst = SmileModel.Load(first), expectedSecond = SmileModel.Load(second);
        await using ServiceProvider provider = new ServiceCollection()
            .AddSingleton(_ => new EnginePool(zip))
            .AddSmile(options => (options.ModelFolder, options.MaxBatchSize) = (served, 4))
            .BuildServiceProvider();
        EnginePool pool = provider.GetRequiredService<EnginePool>();
        ISmilePredictor predictor = provider.GetRequiredService<ISmilePredictor>();

        int answered = 0;
        bool done = false;
        Task[] callers = [.. Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            var inputs = Rows(caller);
            float[] fromFirst = Expected(expectedFirst, inputs), fromSecond = Expected(expectedSecond, inputs);
            while (!Volatile.Read(ref done))
            {
                foreach (float[] output in new[] { pool.Predict(inputs["x"].Floats!), await OutputAsync(predictor, inputs) })
                {
                    Assert.IsTrue(output.SequenceEqual(fromFirst) || output.SequenceEqual(fromSecond));
                }

                Interlocked.Increment(ref answered);
            }
        }))];
        await AnsweredAsync();

        Save(second, zip);
        pool.Reload();
        File.Copy(Path.Combine(second, "model.safetensors"), Path.Combine(served, "new"));
        File.Move(Path.Combine(served, "new"), Path.Combine(served, "model.safetensors"), overwrite: true);
        await predictor.ReloadAsync();
        var later = Rows(99);
        CollectionAssert.AreEqual(Expected(expectedSecond, later), pool.Predict(later["x"].Floats!));
        CollectionAssert.AreEqual(Expected(expectedSecond, later), await OutputAsync(predictor, later));
        await AnsweredAsync();
        Volatile.Write(ref done, true);
        await Task.WhenAll(callers);

        async Task AnsweredAsync()
        {
            int before = Volatile.Read(ref answered);
            while (Volatile.Read(ref answered) < before + (4 * Callers) && !callers.Any(caller => caller.IsCompleted))
            {
                await Task.Delay(1);
            }
        }
    }

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }
    }

    private static void Save(string folder, string zip)
    {
        var ml = new MLContext();
        IDataView schema = ml.Data.LoadFromEnumerable(new List<Input>());
        using SmileTransformer transformer = ml.Transforms
            .ApplySmileModel(folder, new() { InputColumnName = nameof(Input.X), OutputColumnName = nameof(Output.Values) }).Fit(schema);
        ml.Model.SaveAtomically(transformer, schema.Schema, zip);
    }

    private sealed class EnginePool : IDisposable
    {
        private readonly MLContext _ml = new();
        private readonly List<IDisposable> _models = [];
        private readonly string _zip;
        private ObjectPool<PredictionEngine<Input, Output>> _engines;

        public EnginePool(string zip) => (_zip, _engines) = (zip, Load(zip));

        public void Reload() => Volatile.Write(ref _engines, Load(_zip));

        public float[] Predict(float[] x)
        {
            ObjectPool<PredictionEngine<Input, Output>> engines = Volatile.Read(ref _engines);
            PredictionEngine<Input, Output> engine = engines.Get();
            try
            {
                return engine.Predict(new Input { X = x }).Values;
            }
            finally
            {
                engines.Return(engine);
            }
        }

        public void Dispose() => _models.ForEach(model => model.Dispose());

        private ObjectPool<PredictionEngine<Input, Output>> Load(string zip)
        {
            ITransformer model = _ml.Model.Load(zip, out _);
            _models.Add((IDisposable)model);
            return new DefaultObjectPoolProvider().Create(new Policy(_ml, model));
        }

        private sealed class Policy(MLContext ml, ITransformer model) : PooledObjectPolicy<PredictionEngine<Input, Output>>
        {
            public override PredictionEngine<Input, Output> Create()
                => ml.Model.CreatePredictionEngine<Input, Output>(model, new PredictionEngineOptions { OwnsTransformer = false });

            public override bool Return(PredictionEngine<Input, Output> obj) => true;
        }
    }

    private sealed class Input
    {
        [VectorType(Width)]
        public float[] X { get; set; } = [];
    }

    private sealed class Output
    {
        public float[] Values { get; set; } = [];
    }
}
