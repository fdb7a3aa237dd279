// The first factor of the routed low-rank product: factors = svh_e x for every token of expert e, in the sorted order of the tokens.
// The first rows of svh x are the router's own outputs, scaled.
#pragma once
#include "experts.cuh"

template <class Precision, class Shape, class Weights>
DEVICE void multiply_down(
    unsigned char* storage, const float* input, int inputs, const float* gate, int gate_stride, int router_rank, const int* order,
    const int* starts, const Expert* experts, int expert_count, float* factors, int stride) {
    const TokenTile tile = find_tile<Shape::Rows>(starts, expert_count, blockIdx.x);
    if (tile.expert < 0) {
        return;
    }
    const Expert expert = experts[tile.expert];
    if (expert.dense || expert.up == nullptr) {
        return;
    }
    if (blockIdx.y == 0) {
        for (int i = threadIdx.x; i < tile.count * expert.reused; i += TileThreads) {
            int place = tile.first + i / expert.reused;
            int column = i % expert.reused;
            factors[(size_t)place * stride + column] =
                gate[(size_t)order[place] * gate_stride + tile.expert * router_rank + column] * expert.router_scales[column];
        }
    }
    const int own = expert.rank - expert.reused;
    const int first_column = blockIdx.y * Shape::Columns;
    if (first_column >= own) {
        return;
    }
    Precision::template Tile<Shape, Weights>::multiply(
        storage,
        inputs,
        inputs % 4 == 0,
        input,
        [&](int r) { return r < tile.count ? input + (size_t)order[tile.first + r] * inputs : nullptr; },
        [&](int c) { return first_column + c < own ? row_of<Weights>(expert.down, first_column + c, inputs) : nullptr; },
        [&](auto part) {
            if (part.row >= tile.count) {
                return;
            }
            float* to = factors + (size_t)(tile.first + part.row) * stride + expert.reused;
#pragma unroll
            for (int i = 0; i < part.Count; i++) {
                int c = first_column + part.column(i);
                if (c < own) {
                    to[c] = part.pairs[i].x;
                }
                if (c + 1 < own) {
                    to[c + 1] = part.pairs[i].y;
                }
            }
        });
}

#define EXPERTS_DOWN(name, ...)                                                                                                   \
    KERNEL __launch_bounds__(TileThreads) name(                                                                                   \
        const float* input, int inputs, const float* gate, int gate_stride, int router_rank, const int* order, const int* starts, \
        const Expert* experts, int expert_count, float* factors, int stride) {                                                    \
        DYNAMIC_SHARED(storage);                                                                                                  \
        multiply_down<__VA_ARGS__>(                                                                                               \
            reinterpret_cast<unsigned char*>(storage), input, inputs, gate, gate_stride, router_rank, order, starts, experts,     \
            expert_count, factors, stride);                                                                                       \
    }                                                                                                                             \
    REGISTER_KERNEL(name);
