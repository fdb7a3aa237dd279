namespace Smile.ML.Compute;

/// <summary>Reads consecutive rows of a weight, widened to float32. May be called from several threads at once.</summary>
/// <param name="first">Index of the first row.</param>
/// <param name="destination">Receives the rows, one after another; its length says how many are read.</param>
internal delegate void RowReader(int first, Span<float> destination);
