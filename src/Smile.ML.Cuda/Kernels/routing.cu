// SMILE's router (arXiv 2408.10174, section 4), a warp per token: the logit of an expert is the norm of the token's projection onto its
// router subspace; the largest logits are kept, of equal ones the expert of lower number first; softmax over those.
#include "functions.cuh"

constexpr int RoutingThreads = 128;

// A candidate for the next choice. As on the CPU, NaN loses against every number, and an earlier NaN against a later one.
struct Candidate {
    float logit;
    int expert;
};

DEVICE bool goes_before(Candidate x, Candidate y) {
    if (x.expert < 0 || y.expert < 0) {
        return y.expert < 0 && x.expert >= 0;
    }
    bool x_is_nan = x.logit != x.logit;
    bool y_is_nan = y.logit != y.logit;
    if (x_is_nan != y_is_nan) {
        return y_is_nan;
    }
    if (x_is_nan) {
        return x.expert > y.expert;
    }
    return x.logit > y.logit || (x.logit == y.logit && x.expert < y.expert);
}

// The additions in float64, in the CPU's order: the same logit for the same projections.
DEVICE float norm(const float* values, int count) {
    double sums[8] = {};
    int i = 0;
    for (; i + 8 <= count; i += 8) {
#pragma unroll
        for (int j = 0; j < 8; j++) {
            sums[j] = __builtin_fma((double)values[i + j], (double)values[i + j], sums[j]);
        }
    }
    double sum = ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
    for (; i < count; i++) {
        sum = __builtin_fma((double)values[i], (double)values[i], sum);
    }
    return (float)square_root(sum);
}

// projections [tokens, experts * rank]; logits [tokens, experts]; selected and weights [tokens, choices]. At most 1024 experts: a lane
// remembers in 32 bits which of its experts are taken.
KERNEL __launch_bounds__(RoutingThreads) route(
    const float* projections, int tokens, int experts, int rank, int choices, float* logits, int* selected, float* weights) {
    const int token = (blockIdx.x * RoutingThreads + threadIdx.x) / WarpSize;
    const int lane = threadIdx.x % WarpSize;
    if (token >= tokens) {
        return;
    }
    projections += (size_t)token * experts * rank;
    logits += (size_t)token * experts;
    selected += (size_t)token * choices;
    weights += (size_t)token * choices;
    for (int expert = lane; expert < experts; expert += WarpSize) {
        logits[expert] = norm(projections + (size_t)expert * rank, rank);
    }
    unsigned taken = 0;
    float best = 0;
    float sum = 0;
    for (int choice = 0; choice < choices; choice++) {
        Candidate candidate = {0, -1};
        for (int expert = lane; expert < experts; expert += WarpSize) {
            // A lane reads what it wrote itself.
            Candidate other = {logits[expert], expert};
            if ((taken >> (expert / WarpSize) & 1) == 0 && goes_before(other, candidate)) {
                candidate = other;
            }
        }
        for (int lanes = WarpSize / 2; lanes > 0; lanes /= 2) {
            Candidate other = {shuffle_xor(candidate.logit, lanes), shuffle_xor(candidate.expert, lanes)};
            if (goes_before(other, candidate)) {
                candidate = other;
            }
        }
        if (candidate.expert % WarpSize == lane) {
            taken |= 1u << (candidate.expert / WarpSize);
        }
        if (choice == 0) {
            best = candidate.logit;
        }
        float weight = exponential(candidate.logit - best);
        sum += weight;
        if (choice % WarpSize == lane) {
            selected[choice] = candidate.expert;
            weights[choice] = weight;
        }
    }
    for (int choice = lane; choice < choices; choice += WarpSize) {
        weights[choice] /= sum;
    }
}
REGISTER_KERNEL(route);
