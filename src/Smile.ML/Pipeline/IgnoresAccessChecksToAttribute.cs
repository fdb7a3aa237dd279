namespace System.Runtime.CompilerServices;

/// <summary>Known to the runtime by its name: lets this assembly use what is internal to another.</summary>
/// <param name="assemblyName">The other assembly.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
internal sealed class IgnoresAccessChecksToAttribute(string assemblyName) : Attribute
{
    public string AssemblyName => assemblyName;
}
