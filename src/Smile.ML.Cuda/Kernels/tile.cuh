// One block's tile of a matrix product: Rows x Columns dot products of rows of a with rows of b, each row contiguous.
//
// The operands travel to shared memory as they are, by asynchronous copies, some steps of Depth ahead of their use; they are rounded to
// the precision of the product when a thread reads its part. Rows may be gathered from anywhere. Every result is one chain of additions
// along the depth: it doesn't depend on where in a tile, in which shape of tile, or in which batch its row stands.
//
// Three shapes, of four warps each. What bounds them, by the figures that NVIDIA states for an A100 (H100 PCIe and SXM in brackets): 1024
// (2048) bf16 multiply-adds and 128 bytes of shared memory per clock and multiprocessor, 164 (228) KiB of it.
//   Wide, 64 x 64 a warp: for bf16, 16 of the depth take 64 (32) clocks of a warp's tensor core share and 48 of shared memory (4 KiB of
//     float32 rows, 2 KiB of 16-bit weights); for tf32, 128 (64) and 64. 128 registers hold sums, so that two blocks fit in the register
//     file; their stages are chosen for two blocks' shared memory.
//   Middle, 32 x 32 a warp: where wide tiles are too few for all multiprocessors.
//   Narrow, 16 x 8 a warp: for few rows the weights' way from memory is all; as many stages as 48 KiB hold keep 22 KiB of 16-bit weights a
//     block under way, 28 of float32. (At 4.8 TB/s, an H200's, 132 multiprocessors with 0.7 microseconds' latency need 25 each.)
#pragma once
#include "device.cuh"

constexpr int TileThreads = 128;
constexpr int TileWarps = TileThreads / WarpSize;

// Each step of the depth takes two of the tensor cores' 16.
constexpr int Depth = 32;

// How a weight's elements lie in memory. Rows begin at multiples of 16 bytes; zeros fill what lies between.
struct Float32Weights {
    static constexpr int Bytes = 4;
};
struct HalfWeights {
    static constexpr int Bytes = 2;
};

template <class Weights>
DEVICE const void* row_of(const void* weights, int row, int depth) {
    constexpr int PerChunk = 16 / Weights::Bytes;
    int stride = (depth + PerChunk - 1) / PerChunk * 16;
    return static_cast<const unsigned char*>(weights) + (size_t)row * stride;
}

struct Wide {
    static constexpr int Rows = 128, Columns = 128, WarpsAcross = 2;
    template <class Weights>
    static constexpr int Stages = Weights::Bytes == 2 ? 3 : 2;
};
struct Middle {
    static constexpr int Rows = 64, Columns = 64, WarpsAcross = 2;
    template <class Weights>
    static constexpr int Stages = Weights::Bytes == 2 ? 4 : 3;
};
struct Narrow {
    static constexpr int Rows = 16, Columns = 32, WarpsAcross = 4;
    template <class Weights>
    static constexpr int Stages = Weights::Bytes == 2 ? 12 : 8;
};

// One step of one operand in shared memory. Chunks of 16 bytes of a row change places so that the lanes that read together find theirs
// in different banks: two rows of four chunks each for float32, four rows of 32 bytes each for 16-bit elements.
template <int RowCount, int ElementBytes>
struct Panel {
    static constexpr int Chunks = Depth * ElementBytes / 16;
    static constexpr int PerChunk = 16 / ElementBytes;
    static constexpr int Bytes = RowCount * Depth * ElementBytes;
    static constexpr int ThreadChunks = RowCount * Chunks / TileThreads;
    static_assert(RowCount * Chunks % TileThreads == 0, "all threads load alike");

    static constexpr __device__ __forceinline__ int place(int row, int chunk) {
        int swizzle = ElementBytes == 4 ? (row & 1) << 2 | (row >> 1 & 3) : (row >> 1 & 1) << 1 | (row >> 2 & 1);
        return (row * Chunks + (chunk ^ swizzle)) * 16;
    }

    // The i-th row and the chunk that this thread loads.
    static __device__ __forceinline__ int loaded_row(int i) { return threadIdx.x / Chunks + i * (TileThreads / Chunks); }
    static __device__ __forceinline__ int loaded_chunk() { return threadIdx.x % Chunks; }
};

// Where four neighbouring elements lie, from column k of the step on.
template <class Panel>
constexpr __device__ __forceinline__ int place_of(int row, int k) {
    return Panel::place(row, k / Panel::PerChunk) + k % Panel::PerChunk * (16 / Panel::PerChunk);
}

// Whether the lanes that a multiprocessor serves together, 128 bytes at once, read from 32 different banks.
template <class Panel>
constexpr __device__ bool reads_without_conflicts() {
    constexpr int Lanes = 128 / (4 * 16 / Panel::PerChunk);
    for (int first = 0; first < WarpSize; first += Lanes) {
        uint32_t banks = 0;
        for (int lane = first; lane < first + Lanes; lane++) {
            for (int word = 0; word < WarpSize / Lanes; word++) {
                banks |= 1u << (place_of<Panel>(lane / 4, lane % 4 * 4) / 4 + word) % 32;
            }
        }
        if (banks != 0xffffffffu) {
            return false;
        }
    }
    return true;
}
static_assert(reads_without_conflicts<Panel<64, 4>>() && reads_without_conflicts<Panel<64, 2>>(), "banks");

// The way of a tile's operands through shared memory.
template <class Shape, class Weights>
struct Pipeline {
    static constexpr int Stages = Shape::template Stages<Weights>;
    using A = Panel<Shape::Rows, 4>;
    using B = Panel<Shape::Columns, Weights::Bytes>;
    static constexpr int StageBytes = A::Bytes + B::Bytes;

    // Calls step(a, b) for each step of the depth in turn, with its operands in shared memory. row_of_a and row_of_b give a row by its
    // index in the tile, null beyond the edge. Rows of a are aligned to 16 bytes, or to 4; somewhere is any address that is.
    template <class RowOfA, class RowOfB, class Step>
    static __device__ __forceinline__ void run(
        unsigned char* storage, int depth, bool aligned, const void* somewhere, RowOfA row_of_a, RowOfB row_of_b, Step step) {
        const float* a[A::ThreadChunks];
        const unsigned char* b[B::ThreadChunks];
#pragma unroll
        for (int i = 0; i < A::ThreadChunks; i++) {
            a[i] = row_of_a(A::loaded_row(i));
        }
#pragma unroll
        for (int i = 0; i < B::ThreadChunks; i++) {
            b[i] = static_cast<const unsigned char*>(row_of_b(B::loaded_row(i)));
        }
        auto load = [&](int first, unsigned char* stage) {
            const int k = first + A::loaded_chunk() * A::PerChunk;
            auto place = [&](int i) { return stage + A::place(A::loaded_row(i), A::loaded_chunk()); };
            auto left = [&](int i) { return a[i] == nullptr ? 0 : depth - k; };
            if (aligned) {
#pragma unroll
                for (int i = 0; i < A::ThreadChunks; i++) {
                    copy_async_16(place(i), left(i) > 0 ? a[i] + k : somewhere, left(i) >= 4 ? 16 : left(i) > 0 ? left(i) * 4 : 0);
                }
            } else {
                for (int j = 0; j < 4; j++) {
#pragma unroll
                    for (int i = 0; i < A::ThreadChunks; i++) {
                        copy_async_4(place(i) + 4 * j, left(i) > j ? a[i] + k + j : somewhere, left(i) > j ? 4 : 0);
                    }
                }
            }
            const int kb = first + B::loaded_chunk() * B::PerChunk;
#pragma unroll
            for (int i = 0; i < B::ThreadChunks; i++) {
                bool inside = b[i] != nullptr && kb < depth;
                copy_async_16(
                    stage + A::Bytes + B::place(B::loaded_row(i), B::loaded_chunk()),
                    inside ? b[i] + (size_t)kb * Weights::Bytes : somewhere,
                    inside ? 16 : 0);
            }
        };
        for (int stage = 0; stage < Stages - 1; stage++) {
            if (stage * Depth < depth) {
                load(stage * Depth, storage + stage * StageBytes);
            }
            commit_copies();
        }
        int current = 0;
        int next = Stages - 1;
        for (int k = 0; k < depth; k += Depth) {
            // This thread's copies of the step are there, then everybody's; and everybody is done with the stage that is filled next.
            WAIT_FOR_COPIES(Stages - 2);
            __syncthreads();
            if (k + (Stages - 1) * Depth < depth) {
                load(k + (Stages - 1) * Depth, storage + next * StageBytes);
            }
            commit_copies();
            step(storage + current * StageBytes, storage + current * StageBytes + A::Bytes);
            current = current + 1 == Stages ? 0 : current + 1;
            next = next + 1 == Stages ? 0 : next + 1;
        }
    }
};

// Four neighbouring elements of a weight's row, from column k of the step on.
template <class Panel>
DEVICE Float4 four_of(const unsigned char* panel, int row, int k) {
    if (Panel::PerChunk == 4) {
        return *reinterpret_cast<const Float4*>(panel + place_of<Panel>(row, k));
    }
    Words2 pairs = *reinterpret_cast<const Words2*>(panel + place_of<Panel>(row, k));
    return {
        bits_as<float>(pairs.x << 16), bits_as<float>(pairs.x & 0xffff0000u), bits_as<float>(pairs.y << 16),
        bits_as<float>(pairs.y & 0xffff0000u)};
}

// What a thread has of a row of the result: pairs of neighbours, each Spacing columns behind the last. A row's come together, so that what
// is read for them is under way at once: the compiler can't move a read across a write.
template <int Pairs, int Spacing>
struct RowPart {
    static constexpr int Count = Pairs;
    int row;
    int first_column;
    Float2 pairs[Pairs];

    __device__ __forceinline__ int column(int pair) const { return first_column + pair * Spacing; }
};

// A pair of a row of so many columns, from column c on; both at once where their number is even, and zeros beyond the last.
DEVICE Float2 read_pair(const float* row, int c, int columns) {
    if (columns % 2 == 0) {
        return c < columns ? *reinterpret_cast<const Float2*>(row + c) : Float2{0, 0};
    }
    return {c < columns ? row[c] : 0.0f, c + 1 < columns ? row[c + 1] : 0.0f};
}

DEVICE void write_pair(float* row, int c, int columns, Float2 pair) {
    if (columns % 2 == 0) {
        if (c < columns) {
            *reinterpret_cast<Float2*>(row + c) = pair;
        }
    } else {
        if (c < columns) {
            row[c] = pair.x;
        }
        if (c + 1 < columns) {
            row[c + 1] = pair.y;
        }
    }
}

// Adds a bias, where there is one, to a part of a row of so many columns; the tile's first is first_column.
template <class Part>
DEVICE void add_bias(Part& part, const float* bias, int first_column, int columns) {
    if (bias == nullptr) {
        return;
    }
#pragma unroll
    for (int i = 0; i < Part::Count; i++) {
        int c = first_column + part.column(i);
        part.pairs[i].x += c < columns ? bias[c] : 0.0f;
        part.pairs[i].y += c + 1 < columns ? bias[c + 1] : 0.0f;
    }
}

// Float32 multiply-adds: exact products, one rounding per addition.
struct Float32 {
    template <class Shape, class Weights>
    struct Tile {
        using Operands = Pipeline<Shape, Weights>;
        static constexpr int Across = 16;
        static constexpr int ThreadColumns = Shape::Columns / Across;
        static constexpr int ThreadRows = Shape::Rows / (TileThreads / Across);

        // A thread's columns are pairs of neighbours, so that a warp writes whole lines. Every second four lanes read theirs the other way
        // round, so that the eight that read float32 together find theirs in different banks; of 16-bit weights two meet in each.
        static constexpr __device__ __forceinline__ int column(int thread, int c) {
            return thread % Across * 2 + c / 2 * 2 * Across + (c % 2 ^ reversed(thread));
        }
        static constexpr __device__ __forceinline__ int reversed(int thread) { return thread >> 2 & 1; }

        static constexpr __device__ bool reads_without_conflicts() {
            for (int first = 0; first < Across; first += 8) {
                for (int c = 0; c < ThreadColumns; c++) {
                    int chunks = 0;
                    for (int thread = first; thread < first + 8; thread++) {
                        chunks |= 1 << place_of<Panel<Shape::Columns, 4>>(column(thread, c), 0) / 16 % 8;
                    }
                    if (chunks != 0xff) {
                        return false;
                    }
                }
            }
            return true;
        }

        template <class RowOfA, class RowOfB, class Write>
        static __device__ __forceinline__ void multiply(
            unsigned char* storage, int depth, bool aligned, const void* somewhere, RowOfA row_of_a, RowOfB row_of_b, Write write) {
            static_assert(reads_without_conflicts(), "banks");
            const int first_row = threadIdx.x / Across * ThreadRows;
            const int thread = threadIdx.x;
            float sums[ThreadRows][ThreadColumns] = {};
            Operands::run(
                storage, depth, aligned, somewhere, row_of_a, row_of_b, [&](const unsigned char* a, const unsigned char* b) {
#pragma unroll 2
                    for (int k = 0; k < Depth; k += 4) {
                        Float4 fb[ThreadColumns];
#pragma unroll
                        for (int c = 0; c < ThreadColumns; c++) {
                            fb[c] = four_of<typename Operands::B>(b, column(thread, c), k);
                        }
#pragma unroll
                        for (int r = 0; r < ThreadRows; r++) {
                            Float4 fa = four_of<typename Operands::A>(a, first_row + r, k);
#pragma unroll
                            for (int c = 0; c < ThreadColumns; c++) {
                                float& sum = sums[r][c];
                                sum = multiply_add(fa.x, fb[c].x, sum);
                                sum = multiply_add(fa.y, fb[c].y, sum);
                                sum = multiply_add(fa.z, fb[c].z, sum);
                                sum = multiply_add(fa.w, fb[c].w, sum);
                            }
                        }
                    }
                });
#pragma unroll
            for (int r = 0; r < ThreadRows; r++) {
                RowPart<ThreadColumns / 2, 2 * Across> part = {first_row + r, thread % Across * 2, {}};
#pragma unroll
                for (int c = 0; c < ThreadColumns; c += 2) {
                    float first = sums[r][c], second = sums[r][c + 1];
                    part.pairs[c / 2] = {reversed(thread) ? second : first, reversed(thread) ? first : second};
                }
                write(part);
            }
        }
    };
};

// Values as tf32, one to a word.
struct Tf32Format {
    static constexpr int PerWord = 1;
    static __device__ __forceinline__ uint32_t word(const float* values) { return to_tf32(values[0]); }
    static __device__ __forceinline__ void subtract(uint32_t word, float* values) { values[0] -= bits_as<float>(word); }
    static __device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_tf32(c, a, b); }
};

// Values as float16, two to a word.
struct Float16Format {
    static constexpr int PerWord = 2;
    static __device__ __forceinline__ uint32_t word(const float* values) { return to_float16_pair(values[0], values[1]); }
    static __device__ __forceinline__ void subtract(uint32_t, float*) {}
    static __device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_float16(c, a, b); }
};

// Values as bf16, two to a word.
struct Bf16Format {
    static constexpr int PerWord = 2;
    static __device__ __forceinline__ uint32_t word(const float* values) { return to_bf16_pair(values[0], values[1]); }
    static __device__ __forceinline__ void subtract(uint32_t word, float* values) {
        values[0] -= bits_as<float>(word << 16);
        values[1] -= bits_as<float>(word & 0xffff0000u);
    }
    static __device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_bf16(c, a, b); }
};

// Tensor cores. With Parts = 2 every value is split into its rounding and the rest, and three products are added (high low, low high,
// high high; low low is below the rounding): 22 bits of mantissa for tf32, 16 for bf16. Weights of 16 bits have no rest. With Parts = 1
// the weights in memory are rounded already.
template <class Format, int Parts>
struct TensorCores {
    // A fragment's columns may stand in any order that is the same for both operands. Here a lane's are four neighbours of each 16, so
    // that one access brings them, float32 or 16 bits; ldmatrix, which moves 16-bit elements alone, would bring no more at once.
    static constexpr int LaneWords = 4 / Format::PerWord;
    using Words = uint32_t[LaneWords];

    static __device__ __forceinline__ void split(Float4 four, uint32_t (&parts)[Parts][LaneWords]) {
        float values[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
        for (int part = 0; part < Parts; part++) {
#pragma unroll
            for (int i = 0; i < LaneWords; i++) {
                parts[part][i] = Format::word(values + i * Format::PerWord);
                if (part + 1 < Parts) {
                    Format::subtract(parts[part][i], values + i * Format::PerWord);
                }
            }
        }
    }

    template <class Panel>
    static __device__ __forceinline__ void split_weights(const unsigned char* panel, int row, int k, uint32_t (&parts)[Parts][LaneWords]) {
        if (Parts == 1 && Format::PerWord == 2) {
            static_assert(Parts > 1 || Format::PerWord == 1 || Panel::PerChunk == 8, "16-bit products take 16-bit weights");
            Words2 pairs = *reinterpret_cast<const Words2*>(panel + place_of<Panel>(row, k));
            parts[0][0] = pairs.x;
            parts[0][LaneWords - 1] = pairs.y;
        } else if (Parts == 1) {
            Float4 four = four_of<Panel>(panel, row, k);
            parts[0][0] = bits_as<uint32_t>(four.x);
            parts[0][1 % LaneWords] = bits_as<uint32_t>(four.y);
            parts[0][2 % LaneWords] = bits_as<uint32_t>(four.z);
            parts[0][3 % LaneWords] = bits_as<uint32_t>(four.w);
        } else {
            split(four_of<Panel>(panel, row, k), parts);
        }
    }

    template <class Shape, class Weights>
    struct Tile {
        using Operands = Pipeline<Shape, Weights>;
        static constexpr int WarpsAcross = Shape::WarpsAcross;
        static constexpr int WarpRows = Shape::Rows * WarpsAcross / TileWarps;
        static constexpr int WarpColumns = Shape::Columns / WarpsAcross;
        static constexpr int RowBlocks = WarpRows / 16;
        static constexpr int ColumnBlocks = WarpColumns / 8;

        template <class RowOfA, class RowOfB, class Write>
        static __device__ __forceinline__ void multiply(
            unsigned char* storage, int depth, bool aligned, const void* somewhere, RowOfA row_of_a, RowOfB row_of_b, Write write) {
            const int warp = threadIdx.x / WarpSize;
            const int group = threadIdx.x % WarpSize / 4;
            const int member = threadIdx.x % 4;
            const int first_row = warp / WarpsAcross * WarpRows + group;
            const int first_column = warp % WarpsAcross * WarpColumns;
            float sums[RowBlocks][ColumnBlocks][4] = {};
            Operands::run(
                storage, depth, aligned, somewhere, row_of_a, row_of_b, [&](const unsigned char* a, const unsigned char* b) {
#pragma unroll
                    for (int k = 0; k < Depth; k += 16) {
                        uint32_t fb[ColumnBlocks][Parts][LaneWords];
#pragma unroll
                        for (int j = 0; j < ColumnBlocks; j++) {
                            split_weights<typename Operands::B>(b, first_column + j * 8 + group, k + member * 4, fb[j]);
                        }
#pragma unroll
                        for (int i = 0; i < RowBlocks; i++) {
                            uint32_t upper[Parts][LaneWords], lower[Parts][LaneWords];
                            split(four_of<typename Operands::A>(a, first_row + i * 16, k + member * 4), upper);
                            split(four_of<typename Operands::A>(a, first_row + i * 16 + 8, k + member * 4), lower);
#pragma unroll
                            for (int j = 0; j < ColumnBlocks; j++) {
                                if (Parts == 2 && Weights::Bytes == 4) {
                                    add(sums[i][j], upper[0], lower[0], fb[j][Parts - 1]);
                                }
                                if (Parts == 2) {
                                    add(sums[i][j], upper[Parts - 1], lower[Parts - 1], fb[j][0]);
                                }
                                add(sums[i][j], upper[0], lower[0], fb[j][0]);
                            }
                        }
                    }
                });
#pragma unroll
            for (int i = 0; i < RowBlocks; i++) {
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    RowPart<ColumnBlocks, 8> part = {first_row + i * 16 + half * 8, first_column + member * 2, {}};
#pragma unroll
                    for (int j = 0; j < ColumnBlocks; j++) {
                        part.pairs[j] = {sums[i][j][half * 2], sums[i][j][half * 2 + 1]};
                    }
                    write(part);
                }
            }
        }

        static __device__ __forceinline__ void add(float (&sum)[4], const Words& upper, const Words& lower, const Words& column) {
#pragma unroll
            for (int i = 0; i < LaneWords; i += 2) {
                uint32_t a[4] = {upper[i], lower[i], upper[i + 1], lower[i + 1]};
                uint32_t b[2] = {column[i], column[i + 1]};
                Format::mma(sum, a, b);
            }
        }
    };
};
