// What the kernels need of the language, without a CUDA SDK. Two compilers read them: clang, for the GPU, and, with
// SMILE_CUDA_EMULATOR defined, a host compiler whose emulator.h runs every CUDA thread as a fiber.
#pragma once

#ifdef SMILE_CUDA_EMULATOR
#include "emulator.h"
#else
#include <__clang_cuda_builtin_vars.h>

#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __launch_bounds__(threads) __attribute__((launch_bounds(threads)))
#define DEVICE static __device__ __forceinline__

// Ends a kernel's definition; the emulator needs the list.
#define REGISTER_KERNEL(name) static_assert(true, "")

typedef unsigned char uint8_t;
typedef unsigned int uint32_t;
typedef __SIZE_TYPE__ size_t;

constexpr unsigned FullWarp = 0xffffffffu;

// Warp operations are called by all 32 lanes together.
DEVICE void warp_barrier() { __nvvm_bar_warp_sync(FullWarp); }
DEVICE float shuffle_xor(float value, int lanes) { return __nvvm_shfl_sync_bfly_f32(FullWarp, value, lanes, 31); }
DEVICE int shuffle_xor(int value, int lanes) { return __nvvm_shfl_sync_bfly_i32(FullWarp, value, lanes, 31); }
DEVICE float shuffle(float value, int lane) { return __nvvm_shfl_sync_idx_f32(FullWarp, value, lane, 31); }
DEVICE unsigned ballot(bool predicate) { return __nvvm_vote_ballot_sync(FullWarp, predicate); }

DEVICE float square_root(float x) { return __nvvm_sqrt_rn_f(x); }
DEVICE double square_root(double x) { return __nvvm_sqrt_rn_d(x); }
DEVICE int count_bits(unsigned x) { return __builtin_popcount(x); }

// Rounds to tf32: 10 bits of mantissa, to nearest, ties away from zero.
DEVICE uint32_t to_tf32(float x) { return (uint32_t)__nvvm_f2tf32_rna(x); }

// Rounds two values to bf16, to nearest even; the first in the lower half.
DEVICE uint32_t to_bf16_pair(float low, float high) { return __builtin_bit_cast(uint32_t, __nvvm_ff2bf16x2_rn(high, low)); }

// Rounds two values to float16, to nearest even; the first in the lower half.
DEVICE uint32_t to_float16_pair(float low, float high) { return __builtin_bit_cast(uint32_t, __nvvm_ff2f16x2_rn(high, low)); }

// Starts to copy 16 (4) bytes to shared memory while the thread goes on: the first count of them, and zeros for the rest. Both
// addresses are multiples of 16 (4); of the source no more than count bytes are read.
DEVICE void copy_async_16(void* shared, const void* global, int count) {
    __nvvm_cp_async_cg_shared_global_16(
        (__attribute__((address_space(3))) void*)shared, (const __attribute__((address_space(1))) void*)global, count);
}
DEVICE void copy_async_4(void* shared, const void* global, int count) {
    __nvvm_cp_async_ca_shared_global_4(
        (__attribute__((address_space(3))) void*)shared, (const __attribute__((address_space(1))) void*)global, count);
}

// Ends a group of the thread's copies, which may be empty.
DEVICE void commit_copies() { __nvvm_cp_async_commit_group(); }

// Waits until at most so many of the thread's groups, the last ones, are under way.
#define WAIT_FOR_COPIES(groups) __nvvm_cp_async_wait_group(groups)

// Shared memory whose size the launch says.
#define DYNAMIC_SHARED(name) extern __shared__ Float4 name[]

// The only lines that clang doesn't check; build.sh compares them with what it makes of LLVM's own intrinsics.
// c [16, 8] += a [16, 8 words] b^T [8, 8 words], one warp together; a word is one tf32, two bf16 or two float16. Lane l holds, with g = l / 4 and
// t = l % 4: a (g, t) (g + 8, t) (g, t + 4) (g + 8, t + 4); b (g, t) (g, t + 4); c (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1).
DEVICE void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

DEVICE void mma_float16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

DEVICE void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

#define KERNEL extern "C" __global__ void

constexpr int WarpSize = 32;

struct alignas(16) Float4 {
    float x, y, z, w;
};

struct alignas(8) Float2 {
    float x, y;
};

struct alignas(8) Words2 {
    uint32_t x, y;
};

template <class To, class From>
DEVICE To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}

DEVICE float multiply_add(float x, float y, float z) { return __builtin_fmaf(x, y, z); }

// The larger value; NaN where either is, whichever comes first.
DEVICE float larger(float x, float y) { return x > y || x != x ? x : y; }

// The sum of all lanes, in every lane; each pair is added in both lanes alike.
DEVICE float warp_sum(float value) {
    for (int lanes = WarpSize / 2; lanes > 0; lanes /= 2) {
        value += shuffle_xor(value, lanes);
    }
    return value;
}

DEVICE float warp_maximum(float value) {
    for (int lanes = WarpSize / 2; lanes > 0; lanes /= 2) {
        value = larger(value, shuffle_xor(value, lanes));
    }
    return value;
}
