using System.IO.Enumeration;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>Patterns that name linear layers: <c>*</c> stands for any characters, <c>?</c> for one.</summary>
internal sealed class LayerPatterns
{
    private readonly IReadOnlyList<string> _patterns;

    /// <summary>Takes the patterns after checking that each names a layer.</summary>
    /// <exception cref="SmileException">A pattern matches no linear layer: a typing error would otherwise pass unseen.</exception>
    public LayerPatterns(IEnumerable<string> patterns, NetworkManifest manifest)
    {
        _patterns = [.. patterns];
        foreach (string pattern in _patterns)
        {
            if (!manifest.LinearLayers.Any(layer => Matches(pattern, layer.Name)))
            {
                throw new SmileException(
                    $"The pattern {pattern} matches no linear layer; the first of {manifest.LinearLayers.Count} is {manifest.LinearLayers[0].Name}.");
            }
        }
    }

    /// <summary>Tells whether any pattern names a layer.</summary>
    public bool Matches(string layer) => _patterns.Any(pattern => Matches(pattern, layer));

    private static bool Matches(string pattern, string layer) => FileSystemName.MatchesSimpleExpression(pattern, layer, ignoreCase: false);
}
