using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML.Examples.Demo;

/// <summary>The test images of all tasks as ML.NET rows.</summary>
internal sealed class TaskImages : IDisposable
{
    private readonly IReadOnlyList<TaskData> _tasks;

    private TaskImages(IReadOnlyList<TaskData> tasks)
    {
        _tasks = tasks;
        Schema = SchemaDefinition.Create(typeof(TaskImage));
        Schema[nameof(TaskImage.Pixels)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, First(tasks[0].Name).Pixels.Length);
    }

    /// <summary>Gets the number of images.</summary>
    public int Count => _tasks.Sum(task => task.Count);

    /// <summary>Gets the schema of the rows: the images' size is known from the data only.</summary>
    public SchemaDefinition Schema { get; }

    public static TaskImages Open(string folder) => new(TaskData.OpenFolder(folder));

    /// <summary>All images, task by task, read as they are asked for.</summary>
    public IEnumerable<TaskImage> Rows() => _tasks.SelectMany(Rows);

    /// <summary>The first image of a task.</summary>
    public TaskImage First(string task) => Rows(_tasks.First(data => data.Name == task)).First();

    /// <summary>The class names of a task's head.</summary>
    public static IReadOnlyList<string> ClassNames(string heads, string task) => TaskHead.Load(Path.Combine(heads, $"{task}.safetensors")).ClassNames;

    /// <summary>Percent of each task's images that the transformer's <c>TASK.PredictedLabel</c> column gets right.</summary>
    public IReadOnlyDictionary<string, double> Accuracy(MLContext ml, ITransformer model) => _tasks.ToDictionary(task => task.Name, task =>
    {
        IDataView scored = model.Transform(ml.Data.LoadFromEnumerable(Rows(task), Schema));
        int correct = scored.GetColumn<uint>($"{task.Name}.PredictedLabel").Zip(task.Labels).Count(pair => pair.First == pair.Second + 1);
        return 100.0 * correct / task.Count;
    });

    /// <summary>Every embedding value of every image, in order.</summary>
    public IEnumerable<float> Embeddings(MLContext ml, ITransformer model)
        => model.Transform(ml.Data.LoadFromEnumerable(Rows(), Schema)).GetColumn<float[]>("Embedding").SelectMany(values => values);

    public void Dispose()
    {
        foreach (TaskData task in _tasks)
        {
            task.Dispose();
        }
    }

    private static IEnumerable<TaskImage> Rows(TaskData task)
    {
        for (int i = 0; i < task.Count; i++)
        {
            HostTensor image = task.ReadImages(i, 1);
            yield return new TaskImage { Task = task.Name, Label = task.Labels[i], Pixels = image.Floats! };
        }
    }
}
