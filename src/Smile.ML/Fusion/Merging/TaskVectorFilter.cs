namespace Smile.ML.Fusion.Merging;

/// <summary>Changes a piece of a task vector before it is combined with the others. Called on several threads at once.</summary>
/// <param name="expert">Whose task vector it is.</param>
/// <param name="block">Which elements.</param>
/// <param name="values">The elements, changed in place.</param>
internal delegate void TaskVectorFilter(int expert, TensorBlock block, Span<float> values);
