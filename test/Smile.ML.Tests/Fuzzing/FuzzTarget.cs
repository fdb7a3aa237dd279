using Smile.ML.Tests.Checkpoints;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>One kind of input that may come from somebody else. A target keeps its files in a folder of its own.</summary>
internal abstract class FuzzTarget : IDisposable
{
    protected TemporaryFolder Files { get; } = new();

    /// <summary>Gets the folder of the files; the error of a refused input names something in it.</summary>
    public string Location => Files.Path;

    /// <summary>Gets a value indicating whether an error must name a file in <see cref="Location"/>.</summary>
    public virtual bool ErrorsNameTheFile => true;

    /// <summary>Writes an input, usually a hostile one, reads it, and checks what was read.</summary>
    /// <param name="random">Decides everything about the case.</param>
    /// <exception cref="SmileException">The input was refused.</exception>
    public abstract void Execute(Random random);

    /// <summary>Tells whether an exception other than <see cref="SmileException"/> refuses the input as it should.</summary>
    public virtual bool IsRefusal(Exception exception) => false;

    public virtual void Dispose() => Files.Dispose();
}
