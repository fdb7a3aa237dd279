namespace Microsoft.ML.Data;

public sealed partial class SchemaDefinition
{
    public sealed class Column
    {
        private readonly DataViewSchema.Annotations.Builder _annotations = new();

        internal Column(string memberName, DataViewType columnType, string columnName)
            => (MemberName, ColumnType, ColumnName) = (memberName, columnType, columnName);

        public string MemberName { get; }

        public string ColumnName { get; set; }

        public DataViewType ColumnType { get; set; }

        public DataViewSchema.Annotations Annotations => _annotations.ToAnnotations();

        public void AddAnnotation<T>(string kind, T value, DataViewType annotationType)
        {
            if (Annotations.Schema.GetColumnOrNull(kind) is not null)
            {
                throw new InvalidOperationException($"The column '{ColumnName}' already has an annotation '{kind}'.");
            }
            var conversion = MemberConversion.Create(typeof(T), annotationType)
                ?? throw new ArgumentException($"A {typeof(T)} cannot be an annotation of type {annotationType}.", nameof(value));
            _annotations.Add(kind, annotationType, conversion.ConstantGetter(value));
        }
    }
}
