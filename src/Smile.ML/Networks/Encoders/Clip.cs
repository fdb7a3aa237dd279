using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Encoders;

/// <summary>
/// A whole CLIP: image embeddings for images, text embeddings for texts, whichever it is given. Further outputs are the vision half's.
/// </summary>
internal sealed class Clip(ClipVision vision, ClipText text) : Network
{
    private const string Images = "pixel_values";
    private const string Texts = "input_ids";
    private const string TextEmbeds = "text_embeds";

    public override IReadOnlyList<NetworkPort> Inputs { get; } =
        [.. vision.Inputs.Concat(text.Inputs).Select(port => port with { IsOptional = true })];

    public override IReadOnlyList<NetworkPort> Outputs { get; } = [.. vision.Outputs, .. text.Outputs.Where(port => port.Name == TextEmbeds)];

    /// <summary>Runs the halves that have inputs. Where every output is wanted, those of a half without input are left out.</summary>
    /// <exception cref="SmileException">There is no input, or none for one of several wanted outputs.</exception>
    public override IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted)
    {
        bool hasImages = inputs.ContainsKey(Images), hasTexts = inputs.ContainsKey(Texts);
        if (!hasImages && !hasTexts)
        {
            throw new SmileException($"Inputs {Images} and {Texts} are both missing; expected at least one.");
        }

        bool all = wanted.Count == Outputs.Count;
        bool wantsTexts = wanted.Contains(TextEmbeds), wantsImages = wanted.Any(name => name != TextEmbeds);
        if (!all && ((wantsImages && !hasImages) || (wantsTexts && !hasTexts)))
        {
            throw new SmileException($"Input {(hasImages ? Texts : Images)} is missing; the outputs {string.Join(", ", wanted)} need it.");
        }

        var outputs = new Dictionary<string, HostTensor>();
        if (hasImages && wantsImages)
        {
            Add(outputs, vision.Forward(pass, inputs, wanted));
        }

        if (hasTexts && wantsTexts)
        {
            Add(outputs, text.Forward(pass, inputs, new HashSet<string> { TextEmbeds }));
        }

        return outputs;
    }

    private static void Add(Dictionary<string, HostTensor> outputs, IReadOnlyDictionary<string, HostTensor> more)
    {
        foreach ((string name, HostTensor tensor) in more)
        {
            outputs[name] = tensor;
        }
    }
}
