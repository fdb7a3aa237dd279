// bf16 tensor cores, factors in two parts; weights in float32, or in bf16 where that loses nothing.
#include "products.cuh"

using Bf16x3 = TensorCores<Bf16Format, 2>;
PRODUCTS(bf16x3, Bf16x3, Float32Weights)
PRODUCTS(bf16x3_half, Bf16x3, HalfWeights)
