// Rounds values to 16 bits, for products that take both factors so.
#include "device.cuh"

// values [count]; result [count], two to a word.
KERNEL round_to_bf16(const float* values, long long count, uint32_t* result) {
    long long pair = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (2 * pair < count) {
        result[pair] = to_bf16_pair(values[2 * pair], 2 * pair + 1 < count ? values[2 * pair + 1] : 0.0f);
    }
}
REGISTER_KERNEL(round_to_bf16);

KERNEL round_to_float16(const float* values, long long count, uint32_t* result) {
    long long pair = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (2 * pair < count) {
        result[pair] = to_float16_pair(values[2 * pair], 2 * pair + 1 < count ? values[2 * pair + 1] : 0.0f);
    }
}
REGISTER_KERNEL(round_to_float16);
