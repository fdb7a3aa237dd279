using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;

namespace Smile.ML.Analysis;

/// <summary>A pool fused once, in a temporary folder, from which models of any smaller setting are loaded.</summary>
internal sealed class FusedPool : IDisposable
{
    private readonly ScratchFolder _folder = new();
    private readonly HuggingFaceFolder _fused;
    private readonly ModelPool _pool;

    /// <summary>Fuses a pool.</summary>
    /// <param name="pool">The pool; it must outlive this.</param>
    /// <param name="options">How to fuse: the largest ranks that will be asked for.</param>
    /// <param name="cancellationToken">Ends the fusion.</param>
    public FusedPool(ModelPool pool, SmileFusionOptions options, CancellationToken cancellationToken)
    {
        _pool = pool;
        try
        {
            string output = Path.Combine(_folder.Path, "fused");
            new SmileFusion(options).Fuse(pool, output, cancellationToken: cancellationToken);
            _fused = HuggingFaceFolder.Open(output);
        }
        catch
        {
            _folder.Dispose();
            throw;
        }
    }

    /// <summary>Gets the fused folder.</summary>
    public HuggingFaceFolder Folder => _fused;

    /// <summary>Gets the model of a setting.</summary>
    public FusedSlice Slice(SmileSetting setting) => new(_fused, setting, [.. Enumerable.Range(0, _pool.Experts.Count)]);

    /// <summary>Gets W_0 + D_k of one expert: the model of one expert, which takes every token.</summary>
    public FusedSlice LowRank(string expert, int? rank)
        => new(_fused, new SmileSetting(rank, 1, 1), [_pool.Experts.Select(e => e.Name).ToList().IndexOf(expert)]);

    /// <summary>Loads a model.</summary>
    public static SmileModel Load(FusedSlice slice, ComputeOptions? compute) => SmileModel.Load(slice.Config, slice, compute);

    /// <inheritdoc/>
    public void Dispose()
    {
        _fused.Dispose();
        _folder.Dispose();
    }
}
