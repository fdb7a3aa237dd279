// Result = input W^T + bias for several weights that share the input, in one launch: a layer's weight and its router's rows, or the
// query, key and value projections.
#include "tile.cuh"

constexpr int MaxProducts = 8;

struct Product {
    const float* weight;  // [outputs, depth]
    const float* bias;    // [outputs] or null
    float* result;        // [rows, outputs]
    int outputs;
    int first_tile;  // of this product's column tiles, in blockIdx.y
};

struct Products {
    Product items[MaxProducts];
    int count;
};

template <class Tile>
DEVICE void multiply_dense(typename Tile::Storage& storage, const float* input, int rows, int depth, const Products& products) {
    int index = 0;
    while (index + 1 < products.count && (int)blockIdx.y >= products.items[index + 1].first_tile) {
        index++;
    }
    const Product product = products.items[index];
    const int first_row = blockIdx.x * TileRows;
    const int first_column = (blockIdx.y - product.first_tile) * Tile::Width;
    const int row = first_row + loader_row();
    const int column = first_column + loader_row();
    Tile::multiply(
        storage,
        row < rows ? input + (size_t)row * depth : nullptr,
        loader_row() < Tile::Width && column < product.outputs ? product.weight + (size_t)column * depth : nullptr,
        depth,
        [&](int r, int c, float sum) {
            r += first_row;
            c += first_column;
            if (r < rows && c < product.outputs) {
                product.result[(size_t)r * product.outputs + c] = product.bias == nullptr ? sum : sum + product.bias[c];
            }
        });
}

#define DENSE(name, Tile)                                                                                          \
    KERNEL __launch_bounds__(TileThreads) name(const float* input, int rows, int depth, const Products products) { \
        __shared__ Tile::Storage storage;                                                                          \
        multiply_dense<Tile>(storage, input, rows, depth, products);                                               \
    }                                                                                                              \
    REGISTER_KERNEL(name);

FOR_EACH_PRECISION(DENSE, dense, 64)
FOR_EACH_PRECISION(DENSE, dense_narrow, 16)
