// All kernels that multiply matrices, for one precision of the products and one kind of weights in memory. Each precision is a module of
// its own, so that a driver compiles no other.
#pragma once
#include "dense.cuh"
#include "experts_down.cuh"
#include "experts_up.cuh"

#define PRODUCTS(suffix, Precision, Weights)                     \
    DENSE(dense_middle_##suffix, Precision, Middle, Weights)     \
    DENSE(dense_narrow_##suffix, Precision, Narrow, Weights)     \
    EXPERTS_DOWN(experts_down_##suffix, Precision, Narrow, Weights) \
    EXPERTS_UP(experts_up_##suffix, Precision, Middle, Weights)

// Where a thread's registers hold a wide tile's sums beside the parts of the operands.
#define WIDE_PRODUCTS(suffix, Precision, Weights)            \
    DENSE(dense_wide_##suffix, Precision, Wide, Weights)     \
    PRODUCTS(suffix, Precision, Weights)
