using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

public sealed partial class SchemaShape
{
    public struct Column
    {
        public readonly string Name;
        public readonly VectorKind Kind;
        public readonly DataViewType ItemType;
        public readonly bool IsKey;
        public readonly SchemaShape Annotations;

        internal Column(string name, VectorKind vecKind, DataViewType itemType, bool isKey, SchemaShape annotations = null)
        {
            Contracts.CheckNonEmpty(name, nameof(name));
            ArgumentNullException.ThrowIfNull(itemType);
            if (itemType is KeyDataViewType or VectorDataViewType)
            {
                throw new ArgumentOutOfRangeException(nameof(itemType), "The item type is neither a key nor a vector: the kind and the key flag say so.");
            }
            if (isKey && !KeyDataViewType.IsValidDataType(itemType.RawType))
            {
                throw new ArgumentOutOfRangeException(nameof(itemType), $"A key cannot be a {itemType}.");
            }
            (Name, Kind, ItemType, IsKey, Annotations) = (name, vecKind, itemType, isKey, annotations ?? Empty);
        }

        internal bool IsValid => Name is not null;

        public enum VectorKind
        {
            Scalar,
            Vector,
            VariableVector,
        }

        internal string GetTypeString()
        {
            string item = IsKey ? $"Key<{ItemType}>" : ItemType.ToString();
            return Kind switch
            {
                VectorKind.Vector => $"Vector<{item}>",
                VectorKind.VariableVector => $"VarVector<{item}>",
                _ => item,
            };
        }
    }
}
