namespace Smile.ML.DependencyInjection;

/// <summary>Gives predictors by name. Each is also a keyed service, and the one without a name a plain one.</summary>
public interface ISmilePredictorFactory
{
    /// <summary>Gets the names of the registered models; empty for the one registered without.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>Gets a predictor. The first call loads its model.</summary>
    /// <param name="name">The model's name; empty for the one registered without.</param>
    /// <returns>The predictor; the container disposes it.</returns>
    /// <exception cref="SmileException">There is no model of that name, or it can't be loaded.</exception>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">Its options are not valid.</exception>
    ISmilePredictor GetPredictor(string name = "");
}
