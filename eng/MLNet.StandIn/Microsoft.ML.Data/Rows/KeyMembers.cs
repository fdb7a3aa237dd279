using System.Numerics;
using System.Reflection;

namespace Microsoft.ML.Data;

/// <summary>
/// A scalar key member of a row class holds an index from 0; the column's raw value is one more, and 0 where the index is out of range.
/// ML.NET does not do so for vectors of keys.
/// </summary>
internal static class KeyMembers
{
    private static readonly MethodInfo TypedToRaw = typeof(KeyMembers).GetMethod(nameof(TypedGetter), BindingFlags.Static | BindingFlags.NonPublic);

    /// <summary>The member's getter, turned into the column's.</summary>
    public static Delegate ToRaw(Delegate getter, DataViewType type) => type is KeyDataViewType key
        ? TypedToRaw.MakeGenericMethod(key.RawType).CreateDelegate<Func<Delegate, ulong, Delegate>>()(getter, key.Count)
        : getter;

    private static Delegate TypedGetter<T>(Delegate getter, ulong count)
        where T : unmanaged, IBinaryInteger<T>
    {
        var index = (ValueGetter<T>)getter;
        return (ValueGetter<T>)((ref T value) =>
        {
            index(ref value);
            value = ulong.CreateChecked(value) < count ? value + T.One : T.Zero;
        });
    }
}
