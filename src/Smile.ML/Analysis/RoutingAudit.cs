namespace Smile.ML.Analysis;

/// <summary>
/// Whether experts specialise or a few serve everyone. The committee is the smallest set of experts that carries at least half of the
/// routing mass in every domain; in a pool whose routing works, each domain relies on its own expert and the committee is nearly everyone.
/// </summary>
public sealed record RoutingAudit
{
    /// <summary>Up to this many experts all sets are tried; beyond, the committee grows greedily.</summary>
    private const int MostExpertsToEnumerate = 20;

    private const double Majority = 0.5;

    /// <summary>Gets the committee's experts, in router order.</summary>
    public required IReadOnlyList<string> Committee { get; init; }

    /// <summary>Gets the routing mass that the committee carries, the mean over the domains.</summary>
    public required double CommitteeMass { get; init; }

    /// <summary>
    /// Gets the mean Jaccard index of two domains' own smallest sets with half of their mass: 0 where no two domains share an expert, 1 where
    /// all rely on the same.
    /// </summary>
    public required double Jaccard { get; init; }

    /// <summary>Gets the Gini coefficient of the experts' total mass: 0 for an even load, near 1 where one expert takes all.</summary>
    public required double Gini { get; init; }

    /// <summary>Audits routing mass.</summary>
    /// <param name="mass">[domains, experts]; rows sum to 1.</param>
    /// <returns>The audit.</returns>
    public static RoutingAudit From(LabelledMatrix mass)
    {
        ArgumentNullException.ThrowIfNull(mass);
        double[][] domains = [.. mass.Rows.Select((_, domain) => mass.GetRow(domain).ToArray())];
        List<int> committee = FindCommittee(domains, mass.Columns.Count);
        HashSet<int>[] own = [.. domains.Select(domain => FindCommittee([domain], domain.Length).ToHashSet())];
        var pairs = (from i in Enumerable.Range(0, own.Length)
                     from j in Enumerable.Range(0, i)
                     select (double)own[i].Intersect(own[j]).Count() / own[i].Union(own[j]).Count()).ToList();
        return new RoutingAudit
        {
            Committee = [.. committee.Select(expert => mass.Columns[expert])],
            CommitteeMass = domains.Average(domain => committee.Sum(expert => domain[expert])),
            Jaccard = pairs.DefaultIfEmpty(1).Average(),
            Gini = GiniOf([.. Enumerable.Range(0, mass.Columns.Count).Select(expert => domains.Sum(domain => domain[expert]))]),
        };
    }

    /// <summary>The smallest set that has the majority in every domain; of several, the one with the most mass in all, then the first.</summary>
    private static List<int> FindCommittee(double[][] domains, int experts)
    {
        if (experts > MostExpertsToEnumerate)
        {
            return GrowCommittee(domains, experts);
        }

        // Rounding must not push a domain of exactly half under the line.
        const double Enough = Majority - 1e-12;
        int best = (1 << experts) - 1;
        double bestMass = domains.Sum(domain => domain.Sum());
        for (int set = 1; set < 1 << experts; set++)
        {
            int size = int.PopCount(set), bestSize = int.PopCount(best);
            if (size > bestSize || !Array.TrueForAll(domains, domain => MassOf(domain, set) >= Enough))
            {
                continue;
            }

            double mass = domains.Sum(domain => MassOf(domain, set));
            if (size < bestSize || mass > bestMass + 1e-12)
            {
                (best, bestMass) = (set, mass);
            }
        }

        return [.. Enumerable.Range(0, experts).Where(expert => (best >> expert & 1) != 0)];
    }

    private static double MassOf(double[] domain, int set)
    {
        double mass = 0;
        for (; set != 0; set &= set - 1)
        {
            mass += domain[int.TrailingZeroCount(set)];
        }

        return mass;
    }

    /// <summary>Adds the expert that brings the domains still short nearest to the majority, until none is short.</summary>
    private static List<int> GrowCommittee(double[][] domains, int experts)
    {
        var committee = new List<int>();
        double[] missing = [.. domains.Select(_ => Majority)];
        while (missing.Any(m => m > 1e-12) && committee.Count < experts)
        {
            int next = Enumerable.Range(0, experts).Except(committee)
                .MaxBy(expert => domains.Select((domain, i) => Math.Min(Math.Max(missing[i], 0), domain[expert])).Sum());
            committee.Add(next);
            for (int i = 0; i < domains.Length; i++)
            {
                missing[i] -= domains[i][next];
            }
        }

        committee.Sort();
        return committee;
    }

    private static double GiniOf(double[] loads)
    {
        Array.Sort(loads);
        double total = loads.Sum();
        double weighted = loads.Select((load, i) => (i + 1) * load).Sum();
        int n = loads.Length;
        return total > 0 ? ((2 * weighted) / (n * total)) - ((n + 1.0) / n) : 0;
    }
}
