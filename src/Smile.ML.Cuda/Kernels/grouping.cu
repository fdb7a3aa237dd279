// Counting sort of the tokens by their expert, for each choice: a block per expert and choice counts the tokens of lower experts, its
// first place, and then puts its own behind one another, in order.
#include "device.cuh"

constexpr int GroupingThreads = 256;
constexpr int GroupingWarps = GroupingThreads / WarpSize;

// The sum over the block of one value per thread; also orders all shared memory before and after it.
DEVICE int block_sum(int value, int (&partial)[GroupingWarps]) {
    for (int lanes = WarpSize / 2; lanes > 0; lanes /= 2) {
        value += shuffle_xor(value, lanes);
    }
    if (threadIdx.x % WarpSize == 0) {
        partial[threadIdx.x / WarpSize] = value;
    }
    __syncthreads();
    int sum = 0;
    for (int warp = 0; warp < GroupingWarps; warp++) {
        sum += partial[warp];
    }
    return sum;
}

// selected [tokens, choices]; order [choices, tokens] receives tokens, expert by expert; starts [choices, experts + 1] where each
// expert's begin, and their end. Grid: experts x choices.
KERNEL __launch_bounds__(GroupingThreads) group_by_expert(
    const int* selected, int tokens, int experts, int choices, int* order, int* starts) {
    __shared__ int partial[GroupingWarps];
    __shared__ int counts[2][GroupingWarps];
    const int expert = blockIdx.x;
    const int choice = blockIdx.y;
    const int warp = threadIdx.x / WarpSize;
    const int lane = threadIdx.x % WarpSize;
    order += (size_t)choice * tokens;
    starts += (size_t)choice * (experts + 1);

    int lower = 0;
    for (int token = threadIdx.x; token < tokens; token += GroupingThreads) {
        lower += selected[(size_t)token * choices + choice] < expert;
    }
    int place = block_sum(lower, partial);
    if (threadIdx.x == 0) {
        starts[expert] = place;
        if (expert == 0) {
            starts[experts] = tokens;
        }
    }
    int buffer = 0;
    for (int first = 0; first < tokens; first += GroupingThreads, buffer ^= 1) {
        int token = first + threadIdx.x;
        bool mine = token < tokens && selected[(size_t)token * choices + choice] == expert;
        unsigned lanes = ballot(mine);
        // Two buffers, so that one barrier a round is enough.
        if (lane == 0) {
            counts[buffer][warp] = count_bits(lanes);
        }
        __syncthreads();
        int before = place;
        for (int w = 0; w < GroupingWarps; w++) {
            int count = counts[buffer][w];
            before += w < warp ? count : 0;
            place += count;
        }
        if (mine) {
            order[before + count_bits(lanes & ((1u << lane) - 1))] = token;
        }
    }
}
REGISTER_KERNEL(group_by_expert);
