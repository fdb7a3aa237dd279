// A host's view of the CUDA language, as far as the kernels use it: every CUDA thread is a fiber, and a scheduler with a random order
// runs them. What it finds: wrong indices, barriers and warp operations that not all threads reach, values used that nobody has
// written (shared memory and allocations start as NaN), and missing barriers and
// waits, since one warp runs as far ahead as it can, and a copy takes as long as it can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <tuple>
#include <utility>

#define __device__
#define __global__
#define __shared__ static __attribute__((section("emulated_shared")))
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define DEVICE static inline

namespace emulator {

struct Index {
    unsigned x, y, z;
};

extern Index thread_index, block_index, block_size, grid_size;

// Stops the launch with an error.
[[noreturn]] void fail(const std::string& message);

// One __syncthreads() or wait for copies of the source; a test may make it do nothing.
struct Barrier {
    Barrier(const char* file, int line);
    const char* file;
    int line;
    bool skipped = false;
};

void block_barrier(const Barrier& barrier);

// Copies of this thread to shared memory: each arrives at once or, by chance, not before somebody waits for it.
void copy_async(void* shared, const void* global, int bytes, int count);
void commit_copies();
void wait_for_copies(int groups, const Barrier& wait);

// The shared memory whose size the launch says; what lies behind it is forbidden.
void* dynamic_shared();

// Waits for the whole warp; before that, publishes up to 8 words, and returns all lanes' afterwards.
using Words = uint32_t[8];
const Words* exchange(const uint32_t* words, int count);
int lane();

using Parameters = void**;
using Binder = std::function<void()> (*)(Parameters);
void register_kernel(const char* name, Binder binder);

template <class... Arguments, size_t... I>
std::function<void()> bind_arguments(void (*kernel)(Arguments...), Parameters parameters, std::index_sequence<I...>) {
    std::tuple<std::remove_const_t<Arguments>...> values(*static_cast<std::remove_const_t<Arguments>*>(parameters[I])...);
    return [kernel, values] { std::apply(kernel, values); };
}

template <class... Arguments>
std::function<void()> bind_arguments(void (*kernel)(Arguments...), Parameters parameters) {
    return bind_arguments(kernel, parameters, std::index_sequence_for<Arguments...>());
}

struct Registration {
    Registration(const char* name, Binder binder) { register_kernel(name, binder); }
};

template <class T>
T shuffle(T value, int source) {
    static_assert(sizeof(T) == 4, "a word");
    uint32_t word;
    std::memcpy(&word, &value, 4);
    const Words* words = exchange(&word, 1);
    std::memcpy(&value, &words[source][0], 4);
    return value;
}

enum class Format { Tf32, BFloat16, Float16 };
void multiply_fragments(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Format format);

}  // namespace emulator

#define REGISTER_KERNEL(name) \
    static const emulator::Registration registration_of_##name(#name, [](emulator::Parameters p) { return emulator::bind_arguments(name, p); })

#define threadIdx (emulator::thread_index)
#define blockIdx (emulator::block_index)
#define blockDim (emulator::block_size)
#define gridDim (emulator::grid_size)
#define __syncthreads()                                         \
    do {                                                        \
        static emulator::Barrier barrier(__FILE__, __LINE__);   \
        emulator::block_barrier(barrier);                       \
    } while (0)

#define WAIT_FOR_COPIES(groups)                                 \
    do {                                                        \
        static emulator::Barrier barrier(__FILE__, __LINE__);   \
        emulator::wait_for_copies(groups, barrier);             \
    } while (0)
#define DYNAMIC_SHARED(name) Float4* const name = static_cast<Float4*>(emulator::dynamic_shared())

DEVICE void copy_async_16(void* shared, const void* global, int count) { emulator::copy_async(shared, global, 16, count); }
DEVICE void copy_async_4(void* shared, const void* global, int count) { emulator::copy_async(shared, global, 4, count); }
DEVICE void commit_copies() { emulator::commit_copies(); }

DEVICE void warp_barrier() { emulator::exchange(nullptr, 0); }
DEVICE float shuffle_xor(float value, int lanes) { return emulator::shuffle(value, emulator::lane() ^ lanes); }
DEVICE int shuffle_xor(int value, int lanes) { return emulator::shuffle(value, emulator::lane() ^ lanes); }
DEVICE float shuffle(float value, int lane) { return emulator::shuffle(value, lane); }
DEVICE unsigned ballot(bool predicate) {
    uint32_t word = predicate;
    const emulator::Words* words = emulator::exchange(&word, 1);
    unsigned lanes = 0;
    for (int i = 0; i < 32; i++) {
        lanes |= words[i][0] << i;
    }
    return lanes;
}

DEVICE float square_root(float x) { return __builtin_sqrtf(x); }
DEVICE double square_root(double x) { return __builtin_sqrt(x); }
DEVICE int count_bits(unsigned x) { return __builtin_popcount(x); }

DEVICE uint32_t to_tf32(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    // Infinity and NaN keep their bits; the rest rounds by adding half of the last kept place.
    return (bits & 0x7f800000u) == 0x7f800000u ? bits & 0xffffe000u : (bits + 0x1000u) & 0xffffe000u;
}

DEVICE uint32_t to_bf16(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}

DEVICE uint32_t to_bf16_pair(float low, float high) { return to_bf16(low) | to_bf16(high) << 16; }

DEVICE uint32_t to_float16_pair(float low, float high) {
    _Float16 halves[2] = {(_Float16)low, (_Float16)high};
    uint32_t pair;
    std::memcpy(&pair, halves, 4);
    return pair;
}

DEVICE void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { emulator::multiply_fragments(c, a, b, emulator::Format::Tf32); }
DEVICE void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { emulator::multiply_fragments(c, a, b, emulator::Format::BFloat16); }
DEVICE void mma_float16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    emulator::multiply_fragments(c, a, b, emulator::Format::Float16);
}
