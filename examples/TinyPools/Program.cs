// Writes one small model pool per network family, in Hugging Face's layout: to try every command without downloading a model.
// Weights are random, so the models know nothing; names, shapes and configurations are those of the real ones.
using Smile.ML.Examples.TinyPools;

if (args is not [string folder])
{
    Console.Error.WriteLine("usage: dotnet run --project examples/TinyPools -- FOLDER");
    return 2;
}

foreach (Family family in Families.All)
{
    string pool = Path.Combine(folder, family.Name);
    TinyPool.Write(pool, family);
    Console.WriteLine($"{pool}: {string.Join(", ", family.Experts.Select(expert => expert.Name))}");
}

return 0;
