// tf32 tensor cores; weights rounded to tf32, or in bf16 where that loses nothing.
#include "products.cuh"

using Tf32 = TensorCores<Tf32Format, 1>;
WIDE_PRODUCTS(tf32, Tf32, Float32Weights)
WIDE_PRODUCTS(tf32_half, Tf32, HalfWeights)
