// The first factor of the routed low-rank product: factors = svh_e x for every token of expert e, in the sorted order of the tokens.
// The first rows of svh x are the router's own outputs, scaled.
#include "experts.cuh"

template <class Tile>
DEVICE void multiply_down(
    typename Tile::Storage& storage, const float* input, int inputs, const float* gate, int gate_stride, int router_rank, const int* order,
    const int* starts, const Expert* experts, int expert_count, float* factors, int stride) {
    const TokenTile tile = find_tile(starts, expert_count, blockIdx.x);
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
    const int first_column = expert.reused + blockIdx.y * Tile::Width;
    if (first_column >= expert.rank) {
        return;
    }
    const int row = loader_row();
    const int column = first_column + row;
    Tile::multiply(
        storage,
        row < tile.count ? input + (size_t)order[tile.first + row] * inputs : nullptr,
        row < Tile::Width && column < expert.rank ? expert.down + (size_t)(column - expert.reused) * inputs : nullptr,
        inputs,
        [&](int r, int c, float sum) {
            c += first_column;
            if (r < tile.count && c < expert.rank) {
                factors[(size_t)(tile.first + r) * stride + c] = sum;
            }
        });
}

#define DOWN(name, Tile)                                                                                                              \
    KERNEL __launch_bounds__(TileThreads) name(                                                                                       \
        const float* input, int inputs, const float* gate, int gate_stride, int router_rank, const int* order, const int* starts,    \
        const Expert* experts, int expert_count, float* factors, int stride) {                                                        \
        __shared__ Tile::Storage storage;                                                                                             \
        multiply_down<Tile>(                                                                                                          \
            storage, input, inputs, gate, gate_stride, router_rank, order, starts, experts, expert_count, factors, stride);          \
    }                                                                                                                                 \
    REGISTER_KERNEL(name);

FOR_EACH_PRECISION(DOWN, experts_down, 16)
