// float16 tensor cores; weights in float16.
#include "products.cuh"

using Float16 = TensorCores<Float16Format, 1>;
WIDE_PRODUCTS(float16_half, Float16, HalfWeights)
