using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace Smile.ML;

/// <summary>
/// What ML.NET calls to load a saved <see cref="SmileTransformer"/>; LoaderDeclaration.cs tells it to. A class of its own, without a constructor: ML.NET refuses a loader
/// that offers both a constructor and a method.
/// </summary>
internal static class SmileModelLoader
{
    /// <summary>The name in the saved model's header; at most 24 Latin-1 characters.</summary>
    public const string Signature = "SmileTransformer";

    private static readonly ConditionalWeakTable<ComponentCatalog, LoadSettings> SettingsByCatalog = [];

    /// <summary>Sets how the models of an environment are loaded. An environment and all hosts under it share one catalog.</summary>
    public static void SetSettings(IHostEnvironment environment, LoadSettings settings)
        => SettingsByCatalog.AddOrUpdate(environment.ComponentCatalog, settings);

    /// <summary>Gets how the models of an environment are loaded.</summary>
    public static LoadSettings GetSettings(IHostEnvironment environment)
        => SettingsByCatalog.TryGetValue(environment.ComponentCatalog, out LoadSettings? settings) ? settings : new LoadSettings();

    /// <summary>Found by its name and parameters; the second is ML.NET's internal ModelLoadContext.</summary>
    [SuppressMessage("Performance", "CA1859:Use concrete types when possible", Justification = "ML.NET looks for this return type exactly.")]
    private static ITransformer Create(IHostEnvironment env, object ctx) => SmileModelFormat.Load(env, ctx, GetSettings(env));
}
