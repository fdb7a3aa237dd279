// The experts of a routed layer and which of them a block works on.
#pragma once
#include "tile.cuh"

struct Expert {
    const void* down;            // rows of svh that the router doesn't compute [rank - reused, inputs], padded as weights are
    const void* up;              // u [outputs, rank]; for a dense expert its weight delta [outputs, inputs]; null for a bias alone
    const float* bias;           // [outputs] or null
    const float* router_scales;  // [reused]: factors from the router's outputs to the first rows of svh x
    int rank;
    int reused;
    int dense;
    int unused;
};

// One tile of one expert's tokens: places first .. first + count of the sorted order; expert is -1 for a block too many.
struct TokenTile {
    int expert;
    int first;
    int count;
};

// Finds the index-th tile. The grid has as many blocks as there can be tiles: tokens / Rows + experts.
template <int Rows>
DEVICE TokenTile find_tile(const int* starts, int experts, int index) {
    for (int expert = 0; expert < experts; expert++) {
        int first = starts[expert];
        int count = starts[expert + 1] - first;
        int tiles = (count + Rows - 1) / Rows;
        if (index < tiles) {
            first += index * Rows;
            count -= index * Rows;
            return {expert, first, count < Rows ? count : Rows};
        }
        index -= tiles;
    }
    return {-1, 0, 0};
}
