namespace Smile.ML.Compute;

/// <summary>Reads one row of a weight, widened to float32. May be called from several threads at once.</summary>
/// <param name="row">Index of the row.</param>
/// <param name="destination">Receives the row.</param>
internal delegate void RowReader(int row, Span<float> destination);
