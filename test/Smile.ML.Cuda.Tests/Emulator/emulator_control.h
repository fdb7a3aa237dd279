// Between the emulated driver and the emulator.
#pragma once
#include "emulator.h"

namespace emulator {

Binder find_kernel(const char* name);

// Runs a grid of blocks, one after the other; returns what went wrong, or nothing.
std::string run(const std::function<void()>& bound, Index grid, Index block);

void seed(uint32_t value);

// Makes one barrier do nothing; line 0 for none.
void skip_barrier(const char* file, int line);

// All barriers that were ever reached, one file:line a line.
std::string barriers();

// Queues work on a stream of the emulated driver.
int enqueue(void* stream, std::function<int()> work);

}  // namespace emulator
