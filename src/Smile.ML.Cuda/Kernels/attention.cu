// softmax(scale q k^T + bias, masked) v with a running softmax (arXiv 1805.02867), so that scores never leave the block. A block takes
// some queries of one sequence and head, a warp some of those; keys come in tiles of 32, a lane to a key for the scores and to features
// for the outcome. Tiles begin at fixed keys: what a query sees, and in which order, doesn't depend on the queries beside it. Grid: batch * heads x blocks of queries.
#include "functions.cuh"

constexpr int AttentionThreads = 128;
constexpr int AttentionWarps = AttentionThreads / WarpSize;
constexpr int KeyTile = WarpSize;

struct AttentionArguments {
    const float* queries;         // [batch * query_tokens, heads * head_size]
    const float* keys;            // [batch * key_stride, key_heads * head_size]
    const float* values;          // as the keys
    const float* bias;            // [heads * query_tokens, key_tokens] or null
    const int* key_counts;        // [batch] or null for key_tokens
    const unsigned char* mask;    // [batch * key_tokens], 0 for a key that may not be seen, or null
    float* result;                // as the queries
    int query_tokens;
    int key_tokens;
    int key_stride;
    int heads;
    int key_heads;
    int head_size;
    int causal;
    int window;
    float scale;
};

template <int MaxHeadSize, int WarpQueries>
struct Attention {
    static constexpr int BlockQueries = AttentionWarps * WarpQueries;
    static constexpr int LaneFeatures = MaxHeadSize / WarpSize;

    struct Storage {
        float queries[BlockQueries][MaxHeadSize];
        float keys[KeyTile][MaxHeadSize + 1];  // one more: lanes read the same feature of 32 keys from 32 banks
    };

    static __device__ __forceinline__ void run(Storage& storage, const AttentionArguments& in) {
        const int warp = threadIdx.x / WarpSize;
        const int lane = threadIdx.x % WarpSize;
        const int head = blockIdx.x % in.heads;
        const int sequence = blockIdx.x / in.heads;
        const int first_query = blockIdx.y * BlockQueries;
        const int size = in.head_size;
        const int key_count = in.key_counts == nullptr ? in.key_tokens : in.key_counts[sequence];
        const size_t query_stride = (size_t)in.heads * size;
        const size_t key_row = (size_t)in.key_heads * size;
        const int key_head = head / (in.heads / in.key_heads);
        const size_t query_offset = (size_t)sequence * in.query_tokens * query_stride + (size_t)head * size;
        const size_t key_offset = (size_t)sequence * in.key_stride * key_row + (size_t)key_head * size;

        for (int i = threadIdx.x; i < BlockQueries * size; i += AttentionThreads) {
            int query = first_query + i / size;
            storage.queries[i / size][i % size] =
                query < in.query_tokens ? in.queries[query_offset + query * query_stride + i % size] : 0.0f;
        }

        // The keys that any of the block's queries sees.
        const int offset = key_count - in.query_tokens;
        const int last_query = first_query + BlockQueries < in.query_tokens ? first_query + BlockQueries - 1 : in.query_tokens - 1;
        int end = key_count;
        int begin = 0;
        if (in.causal) {
            end = last_query + offset + 1 < key_count ? last_query + offset + 1 : key_count;
            int first_seen = in.window > 0 ? first_query + offset - in.window + 1 : 0;
            begin = first_seen > 0 ? first_seen / KeyTile * KeyTile : 0;
        }

        float highest[WarpQueries], sum[WarpQueries], mixed[WarpQueries][LaneFeatures];
#pragma unroll
        for (int q = 0; q < WarpQueries; q++) {
            highest[q] = -Infinity;
            sum[q] = 0;
#pragma unroll
            for (int f = 0; f < LaneFeatures; f++) {
                mixed[q][f] = 0;
            }
        }

        for (int tile = begin; tile < end; tile += KeyTile) {
            for (int i = threadIdx.x; i < KeyTile * size; i += AttentionThreads) {
                int key = tile + i / size;
                storage.keys[i / size][i % size] = key < end ? in.keys[key_offset + key * key_row + i % size] : 0.0f;
            }
            __syncthreads();
#pragma unroll
            for (int q = 0; q < WarpQueries; q++) {
                const int row = warp * WarpQueries + q;
                const int query = first_query + row;
                float score = 0;
                for (int f = 0; f < size; f++) {
                    score = multiply_add(storage.queries[row][f], storage.keys[lane][f], score);
                }
                score = masked(in, score * in.scale, sequence, head, query, tile + lane, key_count);
                float higher = larger(highest[q], warp_maximum(score));
                if (higher == -Infinity) {
                    continue;  // Nothing seen yet; the whole warp agrees.
                }
                float rescale = exponential(highest[q] - higher);
                // A key that may not be seen, or that there is none of, has weight 0 even where the maximum is NaN: then the sum is NaN already.
                float weight = score == -Infinity ? 0.0f : exponential(score - higher);
                highest[q] = higher;
                sum[q] = multiply_add(sum[q], rescale, weight);
#pragma unroll
                for (int f = 0; f < LaneFeatures; f++) {
                    mixed[q][f] *= rescale;
                }
                for (int k = 0; k < KeyTile; k++) {
                    float w = shuffle(weight, k);
                    // A key that may not be seen has weight 0; its value may be anything, NaN included.
                    if (w == 0) {
                        continue;
                    }
                    const float* value = in.values + key_offset + (tile + k) * key_row;
#pragma unroll
                    for (int f = 0; f < LaneFeatures; f++) {
                        if (f * WarpSize + lane < size) {
                            mixed[q][f] = multiply_add(w, value[f * WarpSize + lane], mixed[q][f]);
                        }
                    }
                }
            }
            __syncthreads();
        }

#pragma unroll
        for (int q = 0; q < WarpQueries; q++) {
            const int query = first_query + warp * WarpQueries + q;
            // Each lane summed its own keys.
            float inverse = 1.0f / warp_sum(sum[q]);
#pragma unroll
            for (int f = 0; f < LaneFeatures; f++) {
                int feature = f * WarpSize + lane;
                if (query < in.query_tokens && feature < size) {
                    in.result[query_offset + query * query_stride + feature] = mixed[q][f] * inverse;
                }
            }
        }
    }

    // The score with its bias; minus infinity where the query may not see the key.
    static __device__ __forceinline__ float masked(
        const AttentionArguments& in, float score, int sequence, int head, int query, int key, int key_count) {
        if (query >= in.query_tokens || key >= key_count) {
            return -Infinity;
        }
        if (in.causal) {
            int last = query + key_count - in.query_tokens;
            if (key > last || (in.window > 0 && key <= last - in.window)) {
                return -Infinity;
            }
        }
        // Hugging Face adds the lowest float, not minus infinity: a row without any visible key attends to all alike.
        if (in.mask != nullptr && in.mask[(size_t)sequence * in.key_tokens + key] == 0) {
            return LowestFloat;
        }
        return in.bias == nullptr ? score : score + in.bias[((size_t)head * in.query_tokens + query) * in.key_tokens + key];
    }
};

#define ATTENTION(name, MaxHeadSize, WarpQueries)                                      \
    KERNEL __launch_bounds__(AttentionThreads) name(const AttentionArguments arguments) { \
        __shared__ Attention<MaxHeadSize, WarpQueries>::Storage storage;               \
        Attention<MaxHeadSize, WarpQueries>::run(storage, arguments);                  \
    }                                                                                  \
    REGISTER_KERNEL(name)

ATTENTION(attention_64, 64, 4);
ATTENTION(attention_128, 128, 4);
ATTENTION(attention_256, 256, 2);
