// Positions in attention: rotary embedding and biases along the diagonals.
#include "device.cuh"

// Rotates in place (x, y) to (x cos - y sin, y cos + x sin), a thread per pair: feature i of a head's first half with i of its second.
// values [rows, heads * head_size]; angles [period, head_size]: cosines, then sines.
KERNEL rotate(float* values, long long pairs, int heads, int head_size, const float* angles, int period) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= pairs) {
        return;
    }
    int half = head_size / 2;
    int feature = i % half;
    long long head = i / half;
    const float* angle = angles + head / heads % period * head_size + feature;
    float* first = values + head * head_size + feature;
    float x = first[0];
    float y = first[half];
    float cosine = angle[0];
    float sine = angle[half];
    first[0] = multiply_add(x, cosine, -(y * sine));
    first[half] = multiply_add(y, cosine, x * sine);
}
REGISTER_KERNEL(rotate);

// result[h * queries + i, j] = table[rows[j - i + queries - 1], h], a thread per value; table [any, heads], result [heads * queries, keys].
KERNEL spread_diagonals(const float* table, int heads, const int* rows, long long count, int queries, int keys, float* result) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) {
        return;
    }
    int key = i % keys;
    int query = i / keys % queries;
    int head = i / keys / queries;
    result[i] = table[(size_t)rows[key - query + queries - 1] * heads + head];
}
REGISTER_KERNEL(spread_diagonals);
