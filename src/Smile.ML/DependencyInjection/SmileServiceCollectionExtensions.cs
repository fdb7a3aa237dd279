using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Smile.ML.DependencyInjection;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds models to an application's services.</summary>
public static class SmileServiceCollectionExtensions
{
    /// <summary>Adds the model without a name, as <see cref="ISmilePredictor"/>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddSmile(this IServiceCollection services, Action<SmilePredictorOptions> configure)
        => services.AddSmile(Options.Options.DefaultName, configure);

    /// <summary>
    /// Adds a model by name: as a keyed <see cref="ISmilePredictor"/>, and through <see cref="ISmilePredictorFactory"/>. Its options are
    /// validated when the host starts; the model is loaded when its predictor is first asked for.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The model's name; empty for the one without.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddSmile(this IServiceCollection services, string name, Action<SmilePredictorOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Add(services, name).Configure(configure);
        return services;
    }

    /// <summary>Adds the model without a name, as <see cref="ISmilePredictor"/>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="section">The options' values. A key that is not an option is an error.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddSmile(this IServiceCollection services, IConfiguration section)
        => services.AddSmile(Options.Options.DefaultName, section);

    /// <summary>Adds a model by name, its options bound from configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The model's name; empty for the one without.</param>
    /// <param name="section">The options' values. A key that is not an option is an error.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddSmile(this IServiceCollection services, string name, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        Add(services, name).Bind(section, binder => binder.ErrorOnUnknownConfiguration = true);
        return services;
    }

    private static OptionsBuilder<SmilePredictorOptions> Add(IServiceCollection services, string name)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(name);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SmilePredictorOptions>, SmilePredictorOptionsValidator>());
        services.TryAddSingleton(provider => new PredictorMetrics(provider.GetService<IMeterFactory>()));
        services.TryAddSingleton<ISmilePredictorFactory, SmilePredictorFactory>();
        services.AddSingleton(new SmilePredictorRegistration(name));
        services.TryAddKeyedSingleton<ISmilePredictor>(name, (provider, _) => Create(provider, name));
        if (name == Options.Options.DefaultName)
        {
            services.TryAddSingleton(provider => provider.GetRequiredKeyedService<ISmilePredictor>(name));
        }

        return services.AddOptions<SmilePredictorOptions>(name).ValidateOnStart();
    }

    private static SmilePredictor Create(IServiceProvider provider, string name)
    {
        SmilePredictorOptions options = provider.GetRequiredService<IOptionsMonitor<SmilePredictorOptions>>().Get(name);
        return new SmilePredictor(
            name,
            options,
            () => ServedModel.Load(options),
            provider.GetRequiredService<PredictorMetrics>(),
            provider.GetService<ILogger<ISmilePredictor>>() ?? NullLogger<ISmilePredictor>.Instance,
            provider.GetService<TimeProvider>() ?? TimeProvider.System);
    }
}
