namespace Microsoft.ML;

/// <summary>Fetches a value into the caller's storage, whose buffers it may reuse.</summary>
public delegate void ValueGetter<TValue>(ref TValue value);
