// Operations row against row, a thread per value.
#include "device.cuh"

DEVICE long long thread_index() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }

// Row i of the target takes row i modulo the period.
KERNEL add_rows(float* target, long long count, int columns, const float* values, int period) {
    long long i = thread_index();
    if (i < count) {
        target[i] += values[i / columns % period * columns + i % columns];
    }
}
REGISTER_KERNEL(add_rows);

KERNEL multiply_rows(float* target, long long count, int columns, const float* values, int period) {
    long long i = thread_index();
    if (i < count) {
        target[i] *= values[i / columns % period * columns + i % columns];
    }
}
REGISTER_KERNEL(multiply_rows);

// result[i] = source[rows[i]].
KERNEL gather_rows(const float* source, const int* rows, long long count, int columns, float* result) {
    long long i = thread_index();
    if (i < count) {
        result[i] = source[(long long)rows[i / columns] * columns + i % columns];
    }
}
REGISTER_KERNEL(gather_rows);

// target[rows[i]] = source[i modulo the period].
KERNEL scatter_rows(const float* source, const int* rows, long long count, int columns, int period, float* target) {
    long long i = thread_index();
    if (i < count) {
        target[(long long)rows[i / columns] * columns + i % columns] = source[i / columns % period * columns + i % columns];
    }
}
REGISTER_KERNEL(scatter_rows);
