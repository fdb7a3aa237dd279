// Result = input W^T + bias for several weights that share the input, in one launch: a layer's weight and its router's rows, or the
// query, key and value projections.
#pragma once
#include "tile.cuh"

constexpr int MaxProducts = 8;

struct Product {
    const void* weight;  // [outputs, depth], rows padded
    const float* bias;   // [outputs] or null
    float* result;       // [rows, outputs]
    int outputs;
    int first_tile;  // of this product's, among all tiles of columns
};

struct Products {
    Product items[MaxProducts];
    int count;
};

// Blocks start in the order of their numbers. Those at work together should share rows of both operands, so that these come from L2: they go
// down so many tiles of rows, then to the next tile of columns, and only behind the last of those further down. (All tiles of rows of a
// large batch first would bring an input larger than L2 from memory again for each few tiles of columns.)
constexpr int GroupRows = 16;

struct TilePlace {
    int row, column;
};

DEVICE TilePlace place_of_block() {
    if (gridDim.x <= GroupRows) {
        return {(int)blockIdx.x, (int)blockIdx.y};
    }
    const unsigned number = blockIdx.y * gridDim.x + blockIdx.x;
    const unsigned group = number / (GroupRows * gridDim.y);
    const unsigned within = number % (GroupRows * gridDim.y);
    const unsigned left = gridDim.x - group * GroupRows;
    const unsigned height = left < GroupRows ? left : GroupRows;
    return {(int)(group * GroupRows + within % height), (int)(within / height)};
}

// Grid: tiles of rows x tiles of columns, together fewer than 2^32.
template <class Precision, class Shape, class Weights>
DEVICE void multiply_dense(unsigned char* storage, const float* input, int rows, int depth, const Products& products) {
    const TilePlace place = place_of_block();
    int index = 0;
    while (index + 1 < products.count && place.column >= products.items[index + 1].first_tile) {
        index++;
    }
    const Product product = products.items[index];
    const int first_row = place.row * Shape::Rows;
    const int first_column = (place.column - product.first_tile) * Shape::Columns;
    Precision::template Tile<Shape, Weights>::multiply(
        storage,
        depth,
        depth % 4 == 0,
        input,
        [&](int r) { return first_row + r < rows ? input + (size_t)(first_row + r) * depth : nullptr; },
        [&](int c) { return first_column + c < product.outputs ? row_of<Weights>(product.weight, first_column + c, depth) : nullptr; },
        [&](auto part) {
            const int row = first_row + part.row;
            if (row >= rows) {
                return;
            }
            add_bias(part, product.bias, first_column, product.outputs);
            float* to = product.result + (size_t)row * product.outputs;
#pragma unroll
            for (int i = 0; i < part.Count; i++) {
                write_pair(to, first_column + part.column(i), product.outputs, part.pairs[i]);
            }
        });
}

#define DENSE(name, ...)                                                                                          \
    KERNEL __launch_bounds__(TileThreads) name(const float* input, int rows, int depth, const Products products) { \
        DYNAMIC_SHARED(storage);                                                                                   \
        multiply_dense<__VA_ARGS__>(reinterpret_cast<unsigned char*>(storage), input, rows, depth, products);      \
    }                                                                                                              \
    REGISTER_KERNEL(name);
