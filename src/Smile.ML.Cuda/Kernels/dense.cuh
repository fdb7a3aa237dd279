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
    int first_tile;  // of this product's column tiles, in blockIdx.y
};

struct Products {
    Product items[MaxProducts];
    int count;
};

// Grid: tiles of rows x tiles of columns. Neighbouring blocks share the weight's rows: the smaller operand of a large batch stays in L2.
template <class Precision, class Shape, class Weights>
DEVICE void multiply_dense(unsigned char* storage, const float* input, int rows, int depth, const Products& products) {
    int index = 0;
    while (index + 1 < products.count && (int)blockIdx.y >= products.items[index + 1].first_tile) {
        index++;
    }
    const Product product = products.items[index];
    const int first_row = blockIdx.x * Shape::Rows;
    const int first_column = (blockIdx.y - product.first_tile) * Shape::Columns;
    Precision::template Tile<Shape, Weights>::multiply(
        storage,
        depth,
        depth % 4 == 0,
        input,
        [&](int r) { return first_row + r < rows ? input + (size_t)(first_row + r) * depth : nullptr; },
        [&](int c) { return first_column + c < product.outputs ? row_of<Weights>(product.weight, first_column + c, depth) : nullptr; },
        [&](int r, int c, float first, float second) {
            r += first_row;
            c += first_column;
            if (r < rows && c < product.outputs) {
                bool both = c + 1 < product.outputs;
                if (product.bias != nullptr) {
                    first += product.bias[c];
                    second += both ? product.bias[c + 1] : 0.0f;
                }
                float* to = product.result + (size_t)r * product.outputs + c;
                if (product.outputs % 2 == 0) {
                    *reinterpret_cast<Float2*>(to) = {first, second};
                } else {
                    to[0] = first;
                    if (both) {
                        to[1] = second;
                    }
                }
            }
        });
}

#define DENSE(name, ...)                                                                                          \
    KERNEL __launch_bounds__(TileThreads) name(const float* input, int rows, int depth, const Products products) { \
        DYNAMIC_SHARED(storage);                                                                                   \
        multiply_dense<__VA_ARGS__>(reinterpret_cast<unsigned char*>(storage), input, rows, depth, products);      \
    }                                                                                                              \
    REGISTER_KERNEL(name);
