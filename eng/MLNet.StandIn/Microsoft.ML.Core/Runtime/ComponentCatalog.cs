using System.Reflection;

namespace Microsoft.ML.Runtime;

/// <summary>What can be made by name: the loader signature in a model's header finds the code that reads the model here.</summary>
public sealed partial class ComponentCatalog
{
    private const BindingFlags AnyAccess = BindingFlags.Public | BindingFlags.NonPublic;

    // Monitor, not System.Threading.Lock: callers outside lock the same object.
    private readonly object _lock = new();
    private readonly HashSet<string> _assemblies = [];
    private readonly Dictionary<(string LoadName, Type Signature), LoadableClassInfo> _classes = [];

    internal ComponentCatalog()
    {
    }

    /// <summary>Registers the classes that the assembly's attributes declare. A second call does nothing.</summary>
    public void RegisterAssembly(Assembly assembly, bool throwOnError = true)
    {
        lock (_lock)
        {
            if (!_assemblies.Add(assembly.FullName))
            {
                return;
            }
            foreach (var attribute in assembly.GetCustomAttributes<LoadableClassAttributeBase>())
            {
                if (Bind(attribute) is { } info)
                {
                    AddClass(info, attribute.LoadNames, throwOnError);
                }
                else if (throwOnError)
                {
                    throw new InvalidOperationException($"Can't instantiate loadable class '{attribute.InstanceType.Name}' with name '{attribute.LoadNames[0]}'");
                }
            }
            // ML.NET looks through all types for its extension points, and so fails on an assembly with unresolvable types.
            _ = assembly.GetTypes();
        }
    }

    internal LoadableClassInfo GetLoadableClassInfo(string loadName, Type signatureType)
    {
        lock (_lock)
        {
            return _classes.GetValueOrDefault((Normalize(loadName), signatureType));
        }
    }

    private void AddClass(LoadableClassInfo info, string[] loadNames, bool throwOnError)
    {
        foreach (var signature in info.SignatureTypes)
        {
            foreach (string name in loadNames)
            {
                if (_classes.TryGetValue((Normalize(name), signature), out var other) && throwOnError)
                {
                    throw new InvalidOperationException($"The name '{name}' for {signature.Name} is already taken by {other.LoaderType.FullName}.");
                }
                _classes.TryAdd((Normalize(name), signature), info);
            }
        }
    }

    /// <summary>Finds the constructor or the static Create method, with the environment as first parameter or without.</summary>
    private static LoadableClassInfo Bind(LoadableClassAttributeBase attribute)
    {
        var loader = attribute.LoaderType;
        foreach (bool needsEnvironment in (bool[])[false, true])
        {
            Type[] parameters = needsEnvironment ? [typeof(IHostEnvironment), .. attribute.CtorTypes] : attribute.CtorTypes;
            var create = loader.GetMethod("Create", BindingFlags.Static | AnyAccess, parameters);
            if (create?.ReturnType != attribute.InstanceType)
            {
                create = null;
            }
            var constructor = attribute.InstanceType.IsAssignableFrom(loader)
                ? loader.GetConstructor(BindingFlags.Instance | AnyAccess, parameters)
                : null;
            if (constructor is not null && create is not null && constructor.IsPublic == create.IsPublic)
            {
                throw new InvalidOperationException($"Can't load type {loader}: it has both a constructor and a Create method that match, of equal visibility.");
            }
            if (constructor is not null && (create is null || constructor.IsPublic))
            {
                return new LoadableClassInfo(attribute, null, constructor, null, needsEnvironment);
            }
            if (create is not null)
            {
                return new LoadableClassInfo(attribute, null, null, create, needsEnvironment);
            }
        }
        return null;
    }

    private static string Normalize(string loadName) => (loadName ?? "").Trim().ToLowerInvariant();
}
