namespace Smile.ML.Analysis;

/// <summary>Whether the router will tell the tasks apart.</summary>
public enum Separability
{
    /// <summary>Routing will probably work.</summary>
    Good,

    /// <summary>Routing will probably work for some tokens or tasks only.</summary>
    Partial,

    /// <summary>Routing will probably fail.</summary>
    Poor,
}
