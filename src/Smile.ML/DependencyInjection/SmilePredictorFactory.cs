using Microsoft.Extensions.DependencyInjection;

namespace Smile.ML.DependencyInjection;

/// <summary>Looks the predictors up among the keyed services.</summary>
internal sealed class SmilePredictorFactory(IServiceProvider services, IEnumerable<SmilePredictorRegistration> registrations) : ISmilePredictorFactory
{
    public IReadOnlyList<string> Names { get; } = [.. registrations.Select(registration => registration.Name).Distinct()];

    public ISmilePredictor GetPredictor(string name = "")
    {
        ArgumentNullException.ThrowIfNull(name);
        return services.GetKeyedService<ISmilePredictor>(name)
            ?? throw new SmileException($"There is no Smile model \"{name}\"; registered: {string.Join(", ", Names.Select(known => $"\"{known}\""))}.");
    }
}
