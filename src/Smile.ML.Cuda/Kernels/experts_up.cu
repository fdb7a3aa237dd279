// The second factor of the routed low-rank product, added in place: result_t += w_t (u_e factors_t + bias_e) for every token t of
// expert e. A dense expert multiplies the layer's input itself.
#include "experts.cuh"

template <class Tile>
DEVICE void multiply_up(
    typename Tile::Storage& storage, const float* input, int inputs, const float* factors, int stride, const int* order, const int* starts,
    const Expert* experts, int expert_count, const float* weights, int choices, int choice, float* result, int outputs) {
    const TokenTile tile = find_tile(starts, expert_count, blockIdx.x);
    if (tile.expert < 0) {
        return;
    }
    const Expert expert = experts[tile.expert];
    if (expert.up == nullptr && expert.bias == nullptr) {
        return;
    }
    const int depth = expert.up == nullptr ? 0 : expert.dense ? inputs : expert.rank;
    const int first_column = blockIdx.y * Tile::Width;
    const int row = loader_row();
    const int column = first_column + row;
    const float* a = nullptr;
    if (row < tile.count && depth > 0) {
        int place = tile.first + row;
        a = expert.dense ? input + (size_t)order[place] * inputs : factors + (size_t)place * stride;
    }
    Tile::multiply(
        storage,
        a,
        column < outputs && depth > 0 ? expert.up + (size_t)column * depth : nullptr,
        depth,
        [&](int r, int c, float sum) {
            c += first_column;
            if (r < tile.count && c < outputs) {
                int token = order[tile.first + r];
                float* to = result + (size_t)token * outputs + c;
                sum = expert.bias == nullptr ? sum : sum + expert.bias[c];
                *to = multiply_add(weights[(size_t)token * choices + choice], sum, *to);
            }
        });
}

#define UP(name, Tile)                                                                                                                  \
    KERNEL __launch_bounds__(TileThreads) name(                                                                                         \
        const float* input, int inputs, const float* factors, int stride, const int* order, const int* starts, const Expert* experts,  \
        int expert_count, const float* weights, int choices, int choice, float* result, int outputs) {                                  \
        __shared__ Tile::Storage storage;                                                                                               \
        multiply_up<Tile>(                                                                                                              \
            storage, input, inputs, factors, stride, order, starts, experts, expert_count, weights, choices, choice, result, outputs); \
    }                                                                                                                                   \
    REGISTER_KERNEL(name);

FOR_EACH_PRECISION(UP, experts_up, 64)
