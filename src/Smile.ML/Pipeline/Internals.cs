using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Smile.ML;

/// <summary>
/// Everything of ML.NET that is not public and without which a component from outside can't be saved, loaded or cancelled, except for
/// the attribute in LoaderDeclaration.cs. Unchanged from ML.NET 2.0 to 5.0.
/// </summary>
internal static class Internals
{
    private const string Core = ", Microsoft.ML.Core";
    private const string LoadContextType = "Microsoft.ML.ModelLoadContext" + Core;
    private const string EnvironmentType = "Microsoft.ML.Runtime.IHostEnvironmentInternal" + Core;
    private const string ContractsType = "Microsoft.ML.Runtime.Contracts" + Core;

    /// <summary>Makes a column of a schema promise.</summary>
    public static SchemaShape.Column ShapeColumn(
        string name, SchemaShape.Column.VectorKind kind, DataViewType itemType, bool isKey = false, params IEnumerable<SchemaShape.Column> annotations)
        => NewShapeColumn(name, kind, itemType, isKey, new SchemaShape(annotations));

    /// <summary>Gets what a schema looks like as a promise.</summary>
    public static SchemaShape Shape(DataViewSchema schema) => CreateShape(null, schema);

    /// <summary>Gets the environment behind a catalog.</summary>
    public static IHostEnvironment Environment(TransformsCatalog catalog) => EnvironmentField(catalog);

    /// <summary>Ends the work when the MLContext was cancelled.</summary>
    /// <exception cref="OperationCanceledException">It was.</exception>
    public static void CheckAlive(IHostEnvironment environment) => CheckAlive(null, environment);

    /// <summary>Gets the GPU that a context is to use; null for none.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_GpuDeviceId")]
    public static extern int? GpuDeviceId([UnsafeAccessorType(EnvironmentType)] object environment);

    /// <summary>Tells whether a context may use the CPU where its GPU can't be.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_FallbackToCpu")]
    public static extern bool FallbackToCpu([UnsafeAccessorType(EnvironmentType)] object environment);

    /// <summary>Gets the folder in which a context wants temporary files.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_TempFilePath")]
    public static extern string? TempFilePath([UnsafeAccessorType(EnvironmentType)] object environment);

    /// <summary>Writes the header by which ML.NET finds the loader of a saved model.</summary>
    /// <param name="context">The model being saved.</param>
    /// <param name="modelSignature">The model's kind, 8 characters.</param>
    /// <param name="version">The version of its format.</param>
    /// <param name="loader">The class that loads it; its assembly is named without a version, so that another one may load the model.</param>
    /// <param name="loaderSignature">The name under which the loader is registered.</param>
    public static void SetVersionInfo(ModelSaveContext context, string modelSignature, uint version, Type loader, string loaderSignature)
    {
        // VersionInfo is a value type, which UnsafeAccessorType doesn't take.
        Type type = typeof(ModelSaveContext).Assembly.GetType("Microsoft.ML.VersionInfo", throwOnError: true)!;
        object info = Activator.CreateInstance(
            type, modelSignature, version, version, version, loader.Assembly.GetName().Name, loaderSignature, null)!;
        typeof(ModelSaveContext).GetMethod("SetVersionInfo", BindingFlags.Instance | BindingFlags.NonPublic)!
            .Invoke(context, BindingFlags.DoNotWrapExceptions, null, [info], null);
    }

    /// <summary>Writes an entry of a saved model.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "SaveBinaryStream")]
    public static extern void SaveEntry(ModelSaveContext context, string name, Action<BinaryWriter> write);

    /// <summary>Reads an entry of a saved model; false where there is none of that name.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "TryLoadBinaryStream")]
    public static extern bool TryLoadEntry([UnsafeAccessorType(LoadContextType)] object context, string name, Action<BinaryReader> read);

    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern SchemaShape.Column NewShapeColumn(
        string name, SchemaShape.Column.VectorKind kind, DataViewType itemType, bool isKey, SchemaShape? annotations);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "Create")]
    private static extern SchemaShape CreateShape(SchemaShape? type, DataViewSchema schema);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_env")]
    private static extern ref IHostEnvironment EnvironmentField(TransformsCatalog catalog);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "CheckAlive")]
    private static extern void CheckAlive([UnsafeAccessorType(ContractsType)] object? type, IHostEnvironment environment);
}
