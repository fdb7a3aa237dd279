using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Estimators, one after the other: each is fitted to what those before it make of the data.</summary>
public sealed class EstimatorChain<TLastTransformer> : IEstimator<TransformerChain<TLastTransformer>>
    where TLastTransformer : class, ITransformer
{
    public readonly IEstimator<TLastTransformer> LastEstimator;

    private readonly EstimatorStep[] _steps;
    private readonly IHost _host;

    public EstimatorChain()
        : this(null, [])
    {
    }

    private EstimatorChain(IHost host, EstimatorStep[] steps)
    {
        (_host, _steps) = (host, steps);
        if (steps is [.., var last])
        {
            LastEstimator = (IEstimator<TLastTransformer>)last.Estimator;
        }
    }

    public TransformerChain<TLastTransformer> Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        // Reports a schema that does not fit before anything is trained.
        GetOutputSchema(SchemaShape.Create(input.Schema));

        var transformers = new List<ITransformer>();
        var view = input;
        foreach (var step in _steps)
        {
            _host?.CheckAlive();
            var transformer = step.Estimator.Fit(view);
            transformers.Add(transformer);
            view = transformer.Transform(view);
            if (step.CacheAfter)
            {
                view = new CacheDataView(view);
            }
        }
        return new(transformers, _steps.Select(step => step.Scope));
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return _steps.Aggregate(inputSchema, (shape, step) => step.Estimator.GetOutputSchema(shape));
    }

    public EstimatorChain<TNewTrans> Append<TNewTrans>(IEstimator<TNewTrans> estimator, TransformerScope scope = TransformerScope.Everything)
        where TNewTrans : class, ITransformer
    {
        ArgumentNullException.ThrowIfNull(estimator);
        return new(_host, [.. _steps, new((IEstimator<ITransformer>)estimator, scope, false)]);
    }

    /// <summary>What comes after reads the data that comes before from memory.</summary>
    public EstimatorChain<TLastTransformer> AppendCacheCheckpoint(IHostEnvironment env)
    {
        ArgumentNullException.ThrowIfNull(env);
        return _steps is [.. var first, var last]
            ? new(env.Register(nameof(EstimatorChain<>)), [.. first, last with { CacheAfter = true }])
            : throw new InvalidOperationException("There is nothing before the checkpoint.");
    }
}
