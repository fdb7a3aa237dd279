namespace Smile.ML.Analysis;

/// <summary>
/// How much of one expert's delta lies in the zones of the pretrained weight: ||U_z U_z^T D V_z V_z^T||_F^2 / ||D||_F^2. What one side
/// sees in one zone and the other in another is in none, so the shares of I and II+III need not sum to 1. 0 for a zero delta.
/// </summary>
/// <param name="Expert">The expert's name.</param>
/// <param name="ZoneI">The share in zone I.</param>
/// <param name="ZoneII">The share in zone II; at most that of II+III.</param>
/// <param name="ZoneIIAndIII">The share in zones II and III.</param>
public sealed record ProjectedEnergy(string Expert, double ZoneI, double ZoneII, double ZoneIIAndIII);
