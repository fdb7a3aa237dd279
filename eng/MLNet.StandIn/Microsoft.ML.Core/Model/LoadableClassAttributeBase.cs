namespace Microsoft.ML;

internal abstract class LoadableClassAttributeBase : Attribute
{
    protected LoadableClassAttributeBase(Type instType, Type loaderType, Type argType, Type[] sigTypes, string userName, string[] loadNames)
    {
        ArgumentNullException.ThrowIfNull(instType);
        ArgumentNullException.ThrowIfNull(loaderType);
        if (loadNames is null or [] || loadNames.Any(string.IsNullOrWhiteSpace))
        {
            throw new ArgumentException("A loadable class needs names to be found by.", nameof(loadNames));
        }
        if (sigTypes is null or [] || sigTypes.Any(type => type?.BaseType != typeof(MulticastDelegate)))
        {
            throw new ArgumentException("A signature must be a delegate type.", nameof(sigTypes));
        }
        (InstanceType, LoaderType, SigTypes, UserName, LoadNames) = (instType, loaderType, sigTypes, userName, loadNames);
        var parameters = sigTypes[0].GetMethod("Invoke").GetParameters().Select(parameter => parameter.ParameterType);
        CtorTypes = argType is null ? [.. parameters] : [argType, .. parameters];
    }

    /// <summary>What the class is made as.</summary>
    public Type InstanceType { get; }

    /// <summary>The type that has the constructor or the Create method.</summary>
    public Type LoaderType { get; }

    public Type[] SigTypes { get; }

    /// <summary>The parameters of the constructor or the Create method, less the environment.</summary>
    public Type[] CtorTypes { get; }

    public string UserName { get; }

    public string[] LoadNames { get; }
}
