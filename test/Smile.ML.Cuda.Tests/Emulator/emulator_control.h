// Between the emulated driver and the emulator.
#pragma once
#include "emulator.h"

namespace emulator {

Binder find_kernel(const char* name);

// The most shared memory of a block.
constexpr size_t MaxDynamicShared = 99 << 10;

// Runs a grid of blocks, one after the other; returns what went wrong, or nothing.
std::string run(const std::function<void()>& bound, Index grid, Index block, size_t dynamic_shared);

void seed(uint32_t value);

// Makes one barrier do nothing; line 0 for none.
void skip_barrier(const char* file, int line);

// All barriers that were ever reached, one file:line a line.
std::string barriers();

// Whether a test has named this function as one that fails.
bool fails(const char* function);

// Whether an address lies in memory that is allocated.
bool is_allocated(const void* address);

// Queues work on a stream of the emulated driver.
int enqueue(void* stream, std::function<int()> work);

}  // namespace emulator
