namespace Smile.ML.Networks;

/// <summary>Loads linear layers of one kind from a checkpoint.</summary>
internal interface ILinearLoader
{
    /// <summary>Looks up a layer of this kind.</summary>
    /// <returns>Its sizes, or null where the checkpoint has no layer of this kind and name.</returns>
    LinearLayerInfo? Find(string name);

    /// <summary>Loads a layer that <see cref="Find"/> found.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="owner">Takes what must be disposed with the network.</param>
    Linear Load(LinearLayerInfo layer, ICollection<IDisposable> owner);
}
