using Smile.ML.Compute;
using Smile.ML.Networks;

namespace Smile.ML.Routing;

/// <summary>
/// The routed layer: y = W_0 x + b_0 + sum over the chosen e of w_e (u_e (svh_e x) + b_e - b_0), chosen per token by the router.
/// </summary>
/// <param name="name">The layer's name.</param>
/// <param name="shared">W_0 and b_0.</param>
/// <param name="gate">All experts' router rows [E * router rank, inputs]; null where there is nothing to route by.</param>
/// <param name="experts">The experts.</param>
/// <param name="router">The routing policy.</param>
internal sealed class RoutedLinear(string name, DenseWeights shared, DenseWeights? gate, ExpertWeights experts, IRowRouter router) : Linear
{
    public override string Name => name;

    public override int Outputs => shared.Outputs;

    public override int ProductCount => gate is null ? 1 : 2;

    protected override void Prepare(ForwardPass pass, int rows, Span<DenseProduct> products)
    {
        // [W_0; gates] x in one product: the router's rows ride along with the weight's.
        products[0] = new DenseProduct(shared, pass.Backend.Rent(rows, shared.Outputs));
        if (gate is not null)
        {
            products[1] = new DenseProduct(gate, pass.Backend.Rent(rows, gate.Outputs));
        }
    }

    protected override Tensor Complete(ForwardPass pass, Tensor input, ReadOnlySpan<DenseProduct> products)
    {
        Tensor result = products[0].Result;
        using Tensor? projections = gate is null ? null : products[1].Result;
        using RoutingDecision decision = pass.Backend.Route(projections, input.Rows, router);
        pass.Backend.AddExperts(input, projections, decision, experts, result);
        if (pass.Observer is { } observer)
        {
            Report(observer, decision);
        }

        return result;
    }

    private void Report(IRoutingObserver observer, RoutingDecision decision)
    {
        var scores = new float[checked(decision.Tokens * decision.ExpertCount)];
        var selected = new int[checked(decision.Tokens * decision.ExpertsPerToken)];
        var weights = new float[selected.Length];
        decision.Download(scores, selected, weights);
        observer.OnRouted(name, decision.Tokens, scores, selected, weights);
    }
}
