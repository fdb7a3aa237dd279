using Smile.ML.Networks.Generation;

namespace Smile.ML;

/// <summary>What a user, or a saved pipeline, says about a column of generated token ids.</summary>
internal sealed record GenerationSettings
{
    /// <summary>Checks the settings and keeps a copy.</summary>
    /// <param name="columnName">The column for the ids.</param>
    /// <param name="options">How to choose tokens, and when a sequence ends.</param>
    /// <exception cref="SmileException">An option is out of range, or the name is empty.</exception>
    public GenerationSettings(string columnName, GenerationOptions options)
    {
        if (string.IsNullOrEmpty(columnName))
        {
            throw new SmileException("The column for the generated ids is \"\"; expected a name.");
        }

        options.Validate();
        ColumnName = columnName;
        Options = options with { StopTokens = options.StopTokens?.ToArray() };
    }

    /// <summary>Gets the column for the ids.</summary>
    public string ColumnName { get; }

    /// <summary>Gets how to choose tokens, and when a sequence ends.</summary>
    public GenerationOptions Options { get; }
}
