// Float32 multiply-adds; weights in float32, or in bf16 where that loses nothing.
#include "products.cuh"

PRODUCTS(float32, Float32, Float32Weights)
PRODUCTS(float32_half, Float32, HalfWeights)
