namespace Smile.ML.Compute;

/// <summary>
/// A row-major float32 matrix in a backend's memory, one row per token (or per image, or per class). Rented from its
/// <see cref="Backend"/> and given back by <see cref="Dispose"/>.
/// </summary>
internal abstract class Tensor : IDisposable
{
    /// <summary>Gets the number of rows.</summary>
    public int Rows { get; protected set; }

    /// <summary>Gets the number of columns.</summary>
    public int Columns { get; protected set; }

    /// <summary>Gets the number of elements.</summary>
    public long Length => (long)Rows * Columns;

    /// <summary>Gives the memory back.</summary>
    public abstract void Dispose();
}
