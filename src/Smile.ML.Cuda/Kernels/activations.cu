// The nonlinearities, in place, a thread per value.
#include "functions.cuh"

DEVICE float relu(float x) { return x < 0 ? 0.0f : x; }
DEVICE float gelu(float x) { return multiply_add(0.5f * x, error_function(x * 0.707106781f), 0.5f * x); }
DEVICE float gelu_tanh(float x) {
    float inner = multiply_add(x * x * x, 0.044715f, x) * 0.797884561f;
    return multiply_add(0.5f * x, hyperbolic_tangent(inner), 0.5f * x);
}
DEVICE float quick_gelu(float x) { return x * sigmoid(1.702f * x); }
DEVICE float silu(float x) { return x * sigmoid(x); }

#define ACTIVATION(name, function)                                   \
    KERNEL name(float* values, long long count) {                    \
        long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; \
        if (i < count) {                                             \
            values[i] = function(values[i]);                         \
        }                                                            \
    }                                                                \
    REGISTER_KERNEL(name)

ACTIVATION(activate_relu, relu);
ACTIVATION(activate_gelu, gelu);
ACTIVATION(activate_gelu_tanh, gelu_tanh);
ACTIVATION(activate_quick_gelu, quick_gelu);
ACTIVATION(activate_silu, silu);
ACTIVATION(activate_tanh, hyperbolic_tangent);
