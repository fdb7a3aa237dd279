// tf32 tensor cores, factors in two parts; weights in float32, or in bf16 where that loses nothing.
#include "products.cuh"

using Tf32x3 = TensorCores<Tf32Format, 2>;
PRODUCTS(tf32x3, Tf32x3, Float32Weights)
PRODUCTS(tf32x3_half, Tf32x3, HalfWeights)
