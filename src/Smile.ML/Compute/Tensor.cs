namespace Smile.ML.Compute;

/// <summary>
/// A row-major float32 matrix in a backend's memory, one row per token (or per image, or per class). Rented from its
/// <see cref="Backend"/> and given back by <see cref="Dispose()"/>.
/// </summary>
internal abstract class Tensor : IDisposable
{
    /// <summary>Gets the number of rows.</summary>
    public int Rows { get; protected set; }

    /// <summary>Gets the number of columns.</summary>
    public int Columns { get; protected set; }

    /// <summary>Gets the number of elements.</summary>
    public long Length => (long)Rows * Columns;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives the memory back.</summary>
    /// <param name="disposing">False when called by a finalizer.</param>
    protected abstract void Dispose(bool disposing);
}
