// Layer and root-mean-square normalisation, a block per row.
#include "device.cuh"

constexpr int NormThreads = 256;
constexpr int NormWarps = NormThreads / WarpSize;

// The sum over the block, in every thread: each thread's chain, then the lanes, then the warps in order.
DEVICE float block_sum(float value, float (&partial)[NormWarps]) {
    value = warp_sum(value);
    if (threadIdx.x % WarpSize == 0) {
        partial[threadIdx.x / WarpSize] = value;
    }
    __syncthreads();
    float sum = 0;
    for (int warp = 0; warp < NormWarps; warp++) {
        sum += partial[warp];
    }
    return sum;
}

DEVICE float sum_of_squares(const float* x, float mean, int columns) {
    float sum = 0;
    for (int i = threadIdx.x; i < columns; i += NormThreads) {
        float difference = x[i] - mean;
        sum = multiply_add(difference, difference, sum);
    }
    return sum;
}

KERNEL __launch_bounds__(NormThreads) layer_norm(
    const float* input, const float* gain, const float* bias, float epsilon, int columns, float* result) {
    __shared__ float sums[NormWarps];
    __shared__ float squares[NormWarps];
    const float* x = input + (size_t)blockIdx.x * columns;
    float* y = result + (size_t)blockIdx.x * columns;
    float sum = 0;
    for (int i = threadIdx.x; i < columns; i += NormThreads) {
        sum += x[i];
    }
    float mean = block_sum(sum, sums) / columns;
    float scale = 1.0f / square_root(block_sum(sum_of_squares(x, mean, columns), squares) / columns + epsilon);
    for (int i = threadIdx.x; i < columns; i += NormThreads) {
        y[i] = multiply_add((x[i] - mean) * scale, gain[i], bias[i]);
    }
}
REGISTER_KERNEL(layer_norm);

KERNEL __launch_bounds__(NormThreads) rms_norm(const float* input, const float* gain, float epsilon, int columns, float* result) {
    __shared__ float squares[NormWarps];
    const float* x = input + (size_t)blockIdx.x * columns;
    float* y = result + (size_t)blockIdx.x * columns;
    float scale = 1.0f / square_root(block_sum(sum_of_squares(x, 0, columns), squares) / columns + epsilon);
    for (int i = threadIdx.x; i < columns; i += NormThreads) {
        y[i] = x[i] * scale * gain[i];
    }
}
REGISTER_KERNEL(rms_norm);
