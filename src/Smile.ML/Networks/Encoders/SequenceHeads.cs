using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>
/// What a network computes from the first token of each sequence: <c>pooler_output</c> and <c>logits</c>, and, where experts have heads of
/// their own, <c>EXPERT.pooler_output</c> and <c>EXPERT.logits</c>. Nothing is computed that isn't wanted.
/// </summary>
internal sealed class SequenceHeads
{
    private const string PoolerOutput = "pooler_output";
    private const string Logits = "logits";

    private readonly Head _shared;
    private readonly IReadOnlyList<Head> _own;
    private readonly bool _classifiesPooled;

    private SequenceHeads(Head shared, IReadOnlyList<Head> own, bool classifiesPooled)
        => (_shared, _own, _classifiesPooled) = (shared, own, classifiesPooled);

    /// <summary>Gets the outputs that all tasks share.</summary>
    public IEnumerable<NetworkPort> Outputs => _shared.Outputs;

    /// <summary>Gets the outputs of experts' own heads.</summary>
    public IEnumerable<NetworkPort> OwnOutputs => _own.SelectMany(head => head.Outputs);

    /// <summary>Builds the shared heads and every expert's own.</summary>
    /// <param name="builder">Gives the modules.</param>
    /// <param name="pooler">Builds a pooler, where there is one.</param>
    /// <param name="classifier">Builds a classifier, where there is one.</param>
    /// <param name="classifiesPooled">Whether classifiers take the pooler's output; else they take the token.</param>
    public static SequenceHeads Build(
        ModuleBuilder builder, Func<ModuleBuilder, Pooler?> pooler, Func<ModuleBuilder, SequenceClassifier?> classifier, bool classifiesPooled = false)
        => new(
            new Head("", pooler(builder), classifier(builder)),
            [.. builder.Experts.Select(expert => new Head($"{expert.Expert}.", pooler(expert.Heads), classifier(expert.Heads)))],
            classifiesPooled);

    /// <summary>Computes the wanted outputs.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="tokens">The first token of each sequence [batch, hidden].</param>
    /// <param name="wanted">Names of the outputs to compute.</param>
    /// <param name="outputs">Receives the outputs.</param>
    public void Forward(ForwardPass pass, Tensor tokens, IReadOnlySet<string> wanted, Dictionary<string, HostTensor> outputs)
    {
        // An expert's classifier without a pooler of its own takes what the shared one gives, which is computed once.
        bool sharedPools = NeedsPooled(_shared, wanted) || _own.Any(head => head.Pooler is null && NeedsPooled(head, wanted));
        using Tensor? pooled = sharedPools ? _shared.Pooler?.Forward(pass, tokens) : null;
        Forward(pass, _shared, tokens, pooled, wanted, outputs);
        foreach (Head head in _own)
        {
            using Tensor? own = NeedsPooled(head, wanted) ? head.Pooler?.Forward(pass, tokens) : null;
            Forward(pass, head, tokens, own ?? pooled, wanted, outputs);
        }
    }

    private bool NeedsPooled(Head head, IReadOnlySet<string> wanted)
        => wanted.Contains(head.Prefix + PoolerOutput) || (_classifiesPooled && head.Classifies(wanted));

    private void Forward(ForwardPass pass, Head head, Tensor tokens, Tensor? pooled, IReadOnlySet<string> wanted, Dictionary<string, HostTensor> outputs)
    {
        if (head.Pooler is not null && wanted.Contains(head.Prefix + PoolerOutput))
        {
            outputs[head.Prefix + PoolerOutput] = pass.Download(pooled!, pooled!.Rows, pooled.Columns);
        }

        if (head.Classifies(wanted))
        {
            using Tensor logits = head.Classifier!.Forward(pass, _classifiesPooled ? pooled! : tokens);
            outputs[head.Prefix + Logits] = pass.Download(logits, logits.Rows, logits.Columns);
        }
    }

    /// <summary>The shared heads, or one expert's.</summary>
    /// <param name="Prefix">What the outputs' names start with.</param>
    /// <param name="Pooler">Pools the first token; null where there is no pooler.</param>
    /// <param name="Classifier">Computes logits; null where there is no classifier.</param>
    private sealed record Head(string Prefix, Pooler? Pooler, SequenceClassifier? Classifier)
    {
        public IEnumerable<NetworkPort> Outputs
        {
            get
            {
                if (Classifier is not null)
                {
                    yield return new NetworkPort(Prefix + Logits, TensorType.F32, [Classifier.Classes]);
                }

                if (Pooler is not null)
                {
                    yield return new NetworkPort(Prefix + PoolerOutput, TensorType.F32, [Pooler.Outputs]);
                }
            }
        }

        public bool Classifies(IReadOnlySet<string> wanted) => Classifier is not null && wanted.Contains(Prefix + Logits);
    }
}
