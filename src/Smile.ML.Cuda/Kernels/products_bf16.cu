// bf16 tensor cores; weights in bf16.
#include "products.cuh"

using Bf16 = TensorCores<Bf16Format, 1>;
WIDE_PRODUCTS(bf16_half, Bf16, HalfWeights)
