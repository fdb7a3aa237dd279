// The second factor of the routed low-rank product, added in place: result_t += w_t (u_e factors_t + bias_e) for every token t of
// expert e. A dense expert multiplies the layer's input itself.
#pragma once
#include "experts.cuh"

template <class Precision, class Shape, class Weights>
DEVICE void multiply_up(
    unsigned char* storage, const float* input, int inputs, const float* factors, int stride, const int* order, const int* starts,
    const Expert* experts, int expert_count, const float* weights, int choices, int choice, float* result, int outputs) {
    const TokenTile tile = find_tile<Shape::Rows>(starts, expert_count, blockIdx.x);
    if (tile.expert < 0) {
        return;
    }
    const Expert expert = experts[tile.expert];
    if (expert.up == nullptr && expert.bias == nullptr) {
        return;
    }
    const int depth = expert.up == nullptr ? 0 : expert.dense ? inputs : expert.rank;
    const int first_column = blockIdx.y * Shape::Columns;
    Precision::template Tile<Shape, Weights>::multiply(
        storage,
        depth,
        !expert.dense || inputs % 4 == 0,
        input,
        [&](int r) -> const float* {
            if (r >= tile.count || depth == 0) {
                return nullptr;
            }
            int place = tile.first + r;
            return expert.dense ? input + (size_t)order[place] * inputs : factors + (size_t)place * stride;
        },
        [&](int c) -> const void* {
            return first_column + c < outputs && depth > 0 ? row_of<Weights>(expert.up, first_column + c, depth) : nullptr;
        },
        [&](auto part) {
            if (part.row >= tile.count) {
                return;
            }
            const int token = order[tile.first + part.row];
            const float weight = weights[(size_t)token * choices + choice];
            float* to = result + (size_t)token * outputs;
            Float2 old[part.Count];
#pragma unroll
            for (int i = 0; i < part.Count; i++) {
                old[i] = read_pair(to, first_column + part.column(i), outputs);
            }
            add_bias(part, expert.bias, first_column, outputs);
#pragma unroll
            for (int i = 0; i < part.Count; i++) {
                Float2 pair = part.pairs[i];
                write_pair(
                    to, first_column + part.column(i), outputs, {multiply_add(weight, pair.x, old[i].x), multiply_add(weight, pair.y, old[i].y)});
            }
        });
}

#define EXPERTS_UP(name, ...)                                                                                                          \
    KERNEL __launch_bounds__(TileThreads) name(                                                                                        \
        const float* input, int inputs, const float* factors, int stride, const int* order, const int* starts, const Expert* experts, \
        int expert_count, const float* weights, int choices, int choice, float* result, int outputs) {                                 \
        DYNAMIC_SHARED(storage);                                                                                                       \
        multiply_up<__VA_ARGS__>(                                                                                                      \
            reinterpret_cast<unsigned char*>(storage), input, inputs, factors, stride, order, starts, experts, expert_count, weights, \
            choices, choice, result, outputs);                                                                                         \
    }                                                                                                                                  \
    REGISTER_KERNEL(name);
