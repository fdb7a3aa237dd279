// One block's tile of a matrix product: Rows x Columns dot products of rows of a with rows of b, each row contiguous.
//
// All kinds of tile share one shape: 128 threads; thread t loads row t % 64 of both operands, in halves. The caller passes each thread
// the pointers to the rows that it loads, so rows may be gathered from anywhere; null for a row beyond the edge. Every result is one
// chain of additions along the depth: it doesn't depend on where in a tile, in which kind of tile, or in which batch its row stands.
//
// Tiles are 64 columns wide, or 16 where there are few rows or columns: then more blocks share the work, and, as there is little of it
// to hide the memory's latency behind, each step takes more of the depth.
#pragma once
#include "device.cuh"

constexpr int TileThreads = 128;
constexpr int TileRows = 64;

// The row of either operand that this thread loads.
DEVICE int loader_row() { return threadIdx.x % TileRows; }

// Reads count values of a row from k on; zeros beyond the depth.
template <int Count>
DEVICE void load_values(const float* row, int k, int depth, float (&values)[Count]) {
    // Rows are 16-byte aligned when the depth is a multiple of 4: allocations are.
    if (row != nullptr && depth % 4 == 0) {
#pragma unroll
        for (int i = 0; i < Count; i += 4) {
            Float4 four = k + i < depth ? *reinterpret_cast<const Float4*>(row + k + i) : Float4{0, 0, 0, 0};
            values[i] = four.x;
            values[i + 1] = four.y;
            values[i + 2] = four.z;
            values[i + 3] = four.w;
        }
    } else {
#pragma unroll
        for (int i = 0; i < Count; i++) {
            values[i] = row != nullptr && k + i < depth ? row[k + i] : 0.0f;
        }
    }
}

// Float32 multiply-adds: exact products, one rounding per addition.
template <int Columns>
struct Float32Tile {
    static constexpr int Width = Columns;
    static constexpr int Depth = Columns == 64 ? 16 : 32;
    static constexpr int PerLoad = Depth / 2;
    static constexpr int ThreadColumns = Columns == 64 ? 4 : 2;
    static constexpr int ThreadRows = TileRows * Columns / TileThreads / ThreadColumns;
    static constexpr int Across = Columns / ThreadColumns;

    // Both operands transposed, so that a thread's rows and columns are neighbours.
    struct Storage {
        alignas(16) float a[2][Depth][TileRows + 4];
        alignas(16) float b[2][Depth][Columns + 4];
    };

    template <class Write>
    static __device__ __forceinline__ void multiply(Storage& storage, const float* a, const float* b, int depth, Write write) {
        const int row = loader_row();
        const int half = threadIdx.x / TileRows * PerLoad;
        const int first_row = threadIdx.x / Across * ThreadRows;
        const int first_column = threadIdx.x % Across * ThreadColumns;
        float sums[ThreadRows][ThreadColumns] = {};
        float next_a[PerLoad], next_b[PerLoad];
        auto load = [&](int k) {
            load_values(a, k + half, depth, next_a);
            if (row < Columns) {
                load_values(b, k + half, depth, next_b);
            }
        };
        auto store = [&](int buffer) {
#pragma unroll
            for (int i = 0; i < PerLoad; i++) {
                storage.a[buffer][half + i][row] = next_a[i];
                if (row < Columns) {
                    storage.b[buffer][half + i][row] = next_b[i];
                }
            }
        };
        load(0);
        store(0);
        __syncthreads();
        int buffer = 0;
        for (int k = 0; k < depth; k += Depth, buffer ^= 1) {
            bool more = k + Depth < depth;
            if (more) {
                load(k + Depth);
            }
#pragma unroll 16
            for (int i = 0; i < Depth; i++) {
#pragma unroll
                for (int r = 0; r < ThreadRows; r++) {
#pragma unroll
                    for (int c = 0; c < ThreadColumns; c++) {
                        sums[r][c] = multiply_add(
                            storage.a[buffer][i][first_row + r], storage.b[buffer][i][first_column + c], sums[r][c]);
                    }
                }
            }
            if (more) {
                // The other buffer's readers passed the last barrier before this one was read.
                store(buffer ^ 1);
                __syncthreads();
            }
        }
#pragma unroll
        for (int r = 0; r < ThreadRows; r++) {
#pragma unroll
            for (int c = 0; c < ThreadColumns; c++) {
                write(first_row + r, first_column + c, sums[r][c]);
            }
        }
    }
};

// Values as tf32, one to a word.
struct Tf32 {
    static constexpr int PerWord = 1;
    static __device__ __forceinline__ uint32_t word(const float* values) { return to_tf32(values[0]); }
    static __device__ __forceinline__ void subtract(uint32_t word, float* values) { values[0] -= bits_as<float>(word); }
    static __device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_tf32(c, a, b); }
};

// Values as float16, two to a word.
struct Float16 {
    static constexpr int PerWord = 2;
    static __device__ __forceinline__ uint32_t word(const float* values) { return to_float16_pair(values[0], values[1]); }
    static __device__ __forceinline__ void subtract(uint32_t, float*) {}
    static __device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_float16(c, a, b); }
};

// Values as bf16, two to a word.
struct Bf16 {
    static constexpr int PerWord = 2;
    static __device__ __forceinline__ uint32_t word(const float* values) { return to_bf16_pair(values[0], values[1]); }
    static __device__ __forceinline__ void subtract(uint32_t word, float* values) {
        values[0] -= bits_as<float>(word << 16);
        values[1] -= bits_as<float>(word & 0xffff0000u);
    }
    static __device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_bf16(c, a, b); }
};

// Tensor cores. With Parts = 2 every value is split into its rounding and the rest, and three products are added (high low, low high,
// high high; low low is below the rounding): 22 bits of mantissa for tf32, 16 for bf16.
template <class Format, int Parts, int Columns>
struct TensorCoreTile {
    static constexpr int Width = Columns;
    static constexpr int Words = Columns == 64 ? 16 : 32 / Format::PerWord;
    static constexpr int Depth = Words * Format::PerWord;
    static constexpr int LoadWords = Words / 2;
    static constexpr int PerLoad = Depth / 2;
    static constexpr int WarpsAcross = Columns == 64 ? 2 : 1;
    static constexpr int WarpRows = TileRows * WarpsAcross / (TileThreads / WarpSize);
    static constexpr int WarpColumns = Columns / WarpsAcross;
    static constexpr int RowBlocks = WarpRows / 16;
    static constexpr int ColumnBlocks = WarpColumns / 8;

    // Four words of padding: the eight rows of a fragment then lie in different banks.
    static constexpr int Stride = Words + 4;

    struct Storage {
        alignas(16) uint32_t a[2][Parts][TileRows][Stride];
        alignas(16) uint32_t b[2][Parts][Columns][Stride];
    };

    template <class Write>
    static __device__ __forceinline__ void multiply(Storage& storage, const float* a, const float* b, int depth, Write write) {
        const int row = loader_row();
        const int half = threadIdx.x / TileRows;
        const int warp = threadIdx.x / WarpSize;
        const int group = threadIdx.x % WarpSize / 4;
        const int member = threadIdx.x % 4;
        const int first_row = warp / WarpsAcross * WarpRows;
        const int first_column = warp % WarpsAcross * WarpColumns;
        float sums[RowBlocks][ColumnBlocks][4] = {};
        float next_a[PerLoad], next_b[PerLoad];
        auto load = [&](int k) {
            load_values(a, k + half * PerLoad, depth, next_a);
            if (row < Columns) {
                load_values(b, k + half * PerLoad, depth, next_b);
            }
        };
        auto store = [&](int buffer) {
#pragma unroll
            for (int part = 0; part < Parts; part++) {
#pragma unroll
                for (int i = 0; i < LoadWords; i++) {
                    uint32_t word = Format::word(next_a + i * Format::PerWord);
                    storage.a[buffer][part][row][half * LoadWords + i] = word;
                    if (part + 1 < Parts) {
                        Format::subtract(word, next_a + i * Format::PerWord);
                    }
                    if (row < Columns) {
                        word = Format::word(next_b + i * Format::PerWord);
                        storage.b[buffer][part][row][half * LoadWords + i] = word;
                        if (part + 1 < Parts) {
                            Format::subtract(word, next_b + i * Format::PerWord);
                        }
                    }
                }
            }
        };
        auto add_products = [&](int buffer, int part_a, int part_b, int word) {
            uint32_t fa[RowBlocks][4], fb[ColumnBlocks][2];
#pragma unroll
            for (int i = 0; i < RowBlocks; i++) {
                const uint32_t* from = &storage.a[buffer][part_a][first_row + i * 16 + group][word + member];
                fa[i][0] = from[0];
                fa[i][1] = from[8 * Stride];
                fa[i][2] = from[4];
                fa[i][3] = from[8 * Stride + 4];
            }
#pragma unroll
            for (int j = 0; j < ColumnBlocks; j++) {
                const uint32_t* from = &storage.b[buffer][part_b][first_column + j * 8 + group][word + member];
                fb[j][0] = from[0];
                fb[j][1] = from[4];
            }
#pragma unroll
            for (int i = 0; i < RowBlocks; i++) {
#pragma unroll
                for (int j = 0; j < ColumnBlocks; j++) {
                    Format::mma(sums[i][j], fa[i], fb[j]);
                }
            }
        };
        load(0);
        store(0);
        __syncthreads();
        int buffer = 0;
        for (int k = 0; k < depth; k += Depth, buffer ^= 1) {
            bool more = k + Depth < depth;
            if (more) {
                load(k + Depth);
            }
#pragma unroll
            for (int word = 0; word < Words; word += 8) {
                if (Parts == 2) {
                    add_products(buffer, 0, Parts - 1, word);
                    add_products(buffer, Parts - 1, 0, word);
                }
                add_products(buffer, 0, 0, word);
            }
            if (more) {
                store(buffer ^ 1);
                __syncthreads();
            }
        }
#pragma unroll
        for (int i = 0; i < RowBlocks; i++) {
#pragma unroll
            for (int j = 0; j < ColumnBlocks; j++) {
#pragma unroll
                for (int v = 0; v < 4; v++) {
                    write(first_row + i * 16 + v / 2 * 8 + group, first_column + j * 8 + member * 2 + v % 2, sums[i][j][v]);
                }
            }
        }
    }
};

template <int Columns>
using Tf32Tile = TensorCoreTile<Tf32, 1, Columns>;
template <int Columns>
using Tf32x3Tile = TensorCoreTile<Tf32, 2, Columns>;
template <int Columns>
using Float16Tile = TensorCoreTile<Float16, 1, Columns>;
template <int Columns>
using Bf16Tile = TensorCoreTile<Bf16, 1, Columns>;
template <int Columns>
using Bf16x3Tile = TensorCoreTile<Bf16, 2, Columns>;

// Defines a kernel for each precision: BODY(name, Tile) with a type of tile Columns wide.
#define FOR_EACH_PRECISION(BODY, name, Columns) \
    BODY(name##_float32, Float32Tile<Columns>)  \
    BODY(name##_tf32, Tf32Tile<Columns>)        \
    BODY(name##_tf32x3, Tf32x3Tile<Columns>)    \
    BODY(name##_float16, Float16Tile<Columns>)  \
    BODY(name##_bf16, Bf16Tile<Columns>)        \
    BODY(name##_bf16x3, Bf16x3Tile<Columns>)
