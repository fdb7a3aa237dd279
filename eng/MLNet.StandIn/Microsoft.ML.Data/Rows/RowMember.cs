using System.Linq.Expressions;
using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A public field or property of a row class.</summary>
internal sealed class RowMember(MemberInfo info)
{
    public MemberInfo Info => info;

    public Type Type => info is FieldInfo fieldInfo ? fieldInfo.FieldType : ((PropertyInfo)info).PropertyType;

    public static IEnumerable<RowMember> Of(Type rowType, SchemaDefinition.Direction direction)
    {
        var fields = rowType.GetFields(BindingFlags.Public | BindingFlags.Instance);
        var properties = rowType.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.GetIndexParameters().Length == 0)
            .Where(property => (direction.HasFlag(SchemaDefinition.Direction.Read) && property.GetGetMethod() is not null)
                || (direction.HasFlag(SchemaDefinition.Direction.Write) && property.GetSetMethod() is not null));
        return fields.Concat<MemberInfo>(properties)
            .Where(member => !member.IsDefined(typeof(NoColumnAttribute)))
            .Select(member => new RowMember(member))
            .Where(member => member.Type != typeof(IChannel));
    }

    public static RowMember Find(Type rowType, string name)
    {
        const BindingFlags PublicInstance = BindingFlags.Public | BindingFlags.Instance;
        var info = (MemberInfo)rowType.GetField(name, PublicInstance) ?? rowType.GetProperty(name, PublicInstance);
        return info is null
            ? throw new InvalidOperationException($"No field or property '{name}' found in {rowType}.")
            : new RowMember(info);
    }

    public DataViewType InferColumnType()
    {
        var raw = MemberConversion.RawTypeOf(Type);
        bool isVector = raw.IsGenericType && raw.GetGenericTypeDefinition() == typeof(VBuffer<>);
        var itemType = isVector ? raw.GetGenericArguments()[0] : raw;
        var item = ItemType(itemType);
        var vector = info.GetCustomAttribute<VectorTypeAttribute>();
        if (!isVector)
        {
            return vector is null
                ? item
                : throw new ArgumentOutOfRangeException("userType", $"The member {info.Name} has a {nameof(VectorTypeAttribute)}, but is a {Type}.");
        }
        return vector?.Dims is { Length: > 0 } dimensions ? new VectorDataViewType(item, dimensions) : new VectorDataViewType(item);
    }

    public Func<TRow, TMember> Reader<TRow, TMember>()
    {
        var row = Expression.Parameter(typeof(TRow));
        return Expression.Lambda<Func<TRow, TMember>>(Expression.MakeMemberAccess(row, info), row).Compile();
    }

    public Action<TRow, TMember> Writer<TRow, TMember>()
    {
        var row = Expression.Parameter(typeof(TRow));
        var value = Expression.Parameter(typeof(TMember));
        return Expression.Lambda<Action<TRow, TMember>>(Expression.Assign(Expression.MakeMemberAccess(row, info), value), row, value).Compile();
    }

    private PrimitiveDataViewType ItemType(Type raw)
    {
        if (info.GetCustomAttribute<KeyTypeAttribute>() is { } key)
        {
            return new KeyDataViewType(raw, key.Count);
        }
        return PrimitiveTypes.OrNull(raw)
            ?? throw new ArgumentOutOfRangeException("userType", $"Could not determine an IDataView type and registered custom types for member {info.Name}");
    }
}
